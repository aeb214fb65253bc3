"""Diagnose generators of known faults, and write the table of docs/DIAGNOSIS.md.

Run ``python -m docs.validate_diagnosis`` from the repository's root. Images are drawn and their
features extracted once, about 17,000 of them: eight minutes on two free cores, then kept in the
cache; the diagnoses take as long again. ``--num-seeds 2`` is quicker.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from docs.case_runs import ROOT, write_results
from explorer.diagnosis.request import DiagnosisOptions
from explorer.diagnosis.stream import stream_diagnosis
from explorer.diagnosis.types import Diagnosis
from training.datasets import ImageDataset, load_dataset
from training.datasets.avatars import draw_avatar, read_option
from training.datasets.cache import compute_fingerprint
from training.datasets.decode import convert_mode, to_array
from training.latents import sample_latents
from training.metrics.dataset_features import extract_dataset_features
from training.metrics.extractors import Extractor, load_extractor
from training.metrics.reference import ReferenceStatistics, load_reference

PAGE = ROOT / "docs" / "DIAGNOSIS.md"
REFERENCE = ROOT / "checkpoints/references/avatars-toon-head-64-efficientnet-lite0.safetensors"
STYLE, RESOLUTION = "toon-head", 64
NUM_TRAINING = 20_000
NUM_HELD_OUT, NUM_MODES, NUM_COPIED = 2500, 1100, 300
NUM_VARIANTS = 3
NUM_SAMPLES, NUM_SEEDS = 1000, 20
Z_DIM = 8
# An estimate is of the right order of magnitude within this factor.
FACTOR = 10**0.5

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Table:
    """Hold the features (N, d) of a table of images, and each image's hair style."""

    features: Features
    hair: NDArray[np.str_]


@dataclass(frozen=True)
class TableGenerator:
    """Turn latents into images of a table: sample i is of seed base_seed + i.

    `rows` (S, V) names the V variants of each of S images; the first coordinate of z chooses the
    image, the second the variant. With `is_endless` the images come in turn, so that none repeats,
    as of a generator that never makes one twice.
    """

    model: str
    base_seed: int
    extractor: Extractor
    features: Features
    rows: NDArray[np.int64]
    is_endless: bool = False
    fingerprint: str = ""  # of no file

    def check_weights(self) -> None:
        """Do nothing: a table does not change."""

    def get(self, start: int, count: int) -> Features:
        """Return the features (count, d) of samples start to start + count - 1."""
        numbers = range(start, start + count)
        z = sample_latents([self.base_seed + i for i in numbers], Z_DIM).double().numpy()
        shares = np.array([[_compute_normal_share(value) for value in row[:2]] for row in z])
        image, variant = (shares * self.rows.shape).astype(np.int64).T
        if self.is_endless:
            image = np.array(numbers) % len(self.rows)
        return self.features[self.rows[image, variant]]


@dataclass(frozen=True)
class Case:
    """Name a generator, the verdict that is right, and the true number of different images."""

    title: str
    verdict: str
    support: int | None
    build: Callable[[int], TableGenerator]
    is_whole_search: bool = True


@dataclass(frozen=True)
class Outcome:
    """Hold the last diagnosis of one case and seed."""

    case: Case
    diagnosis: Diagnosis

    @property
    def is_right(self) -> bool:
        """Tell whether verdict and support are right."""
        found = self.diagnosis
        if found.verdict is None or found.verdict.kind != self.case.verdict:
            return False
        if self.case.support is None:
            return True
        estimate = found.duplicates.support if found.duplicates else None
        return estimate is not None and (
            self.case.support / FACTOR <= estimate <= self.case.support * FACTOR
        )


def main() -> None:
    """Draw, extract, diagnose, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-seeds", type=int, default=NUM_SEEDS, help="runs of each generator")
    num_seeds = parser.parse_args().num_seeds
    extractor = load_extractor("efficientnet-lite0")
    reference = load_reference(REFERENCE)
    training = load_dataset(f"avatars:{STYLE}")
    assert reference.real is not None
    report("training images", training, reference.real.measured_indices, extractor)
    cases = build_cases(training, extractor)
    outcomes = []
    for case in cases:
        for seed in range(num_seeds):
            outcomes.append(diagnose(case, seed, reference, training))
            describe(outcomes[-1], seed)
    table = format_table(cases, outcomes)
    print(table)
    write_results(PAGE, table)


def build_cases(training: ImageDataset, extractor: Extractor) -> list[Case]:
    """Build the generators: collapsed, dropping hair styles, copying, and healthy."""
    held_out, hair = draw_held_out()
    healthy = Table(get_features("held-out avatars", held_out, extractor), hair)
    modes = make_variants(held_out[:NUM_MODES], seed=1)
    mode_features = get_features("variants of modes", modes, extractor)
    chosen = np.random.default_rng(2).choice(NUM_TRAINING, NUM_COPIED, replace=False)
    copies = make_variants(np.stack([training[int(i)] for i in np.sort(chosen)]), seed=3)
    copy_features = get_features("copies", copies, extractor)

    def build_table(
        features: Features, num_images: int, chosen: int
    ) -> Callable[[int], TableGenerator]:
        def build(seed: int) -> TableGenerator:
            images = np.random.default_rng(seed).choice(num_images, chosen, replace=False)
            rows = images[:, None] * NUM_VARIANTS + np.arange(NUM_VARIANTS)
            return TableGenerator("table", NUM_SAMPLES * seed, extractor, features, rows)

        return build

    def build_endless(is_kept: NDArray[np.bool_]) -> Callable[[int], TableGenerator]:
        def build(seed: int) -> TableGenerator:
            rows = np.random.default_rng(seed).permutation(np.flatnonzero(is_kept))[:, None]
            return TableGenerator(
                "held-out", NUM_SAMPLES * seed, extractor, healthy.features, rows, is_endless=True
            )

        return build

    copying = build_table(copy_features, NUM_COPIED, 200)
    styles = sorted(set(healthy.hair))
    kept = np.isin(healthy.hair, styles[: len(styles) // 2])
    collapsed = [
        Case(
            f"collapsed to {count:,} image{'s' if count > 1 else ''}",
            "collapsed",
            count,
            build_table(mode_features, NUM_MODES, count),
        )
        for count in (1, 10, 100, 1000)
    ]
    return [
        *collapsed,
        Case("drops half of the hair styles", "missing_modes", None, build_endless(kept)),
        Case("copies 200 training images", "copies", 200, copying),
        Case(
            "the same, searching only the 2,048 kept images",
            "copies", 200, copying, is_whole_search=False,
        ),
        Case("healthy: held-out avatars", "healthy", None, build_endless(kept | True)),
    ]  # fmt: skip


def diagnose(
    case: Case, seed: int, reference: ReferenceStatistics, training: ImageDataset
) -> Outcome:
    """Run one diagnosis to its end."""
    dataset = training if case.is_whole_search else None
    options = DiagnosisOptions(NUM_SAMPLES, has_sensitivity=False)
    *_, last = stream_diagnosis(None, case.build(seed), reference, options, dataset)
    return Outcome(case, last)


def draw_held_out() -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Draw avatars beyond the training images, (N, 3, 64, 64), and name their hair styles (N,)."""
    images = np.empty((NUM_HELD_OUT, 3, RESOLUTION, RESOLUTION), dtype=np.uint8)
    hair = []
    for row in tqdm(range(NUM_HELD_OUT), desc="Drawing held-out avatars"):
        image, options = draw_avatar(STYLE, NUM_TRAINING + row, RESOLUTION)
        images[row] = to_array(convert_mode(image, 3))
        hair.append(read_option(options, "hairVariant"))
    return images, np.array(hair)


def make_variants(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Make three variants of each image, (3 N, C, H, W): as it is, darker, and with noise."""
    generator = np.random.default_rng(seed)
    pixels = images.astype(np.float32)
    gain = generator.uniform(0.97, 1.03, (len(images), 1, 1, 1)).astype(np.float32)
    noise = generator.normal(0, 0.5, images.shape).astype(np.float32)
    variants = np.stack([pixels, 0.97 * pixels, gain * pixels + noise], axis=1)
    return variants.reshape(-1, *images.shape[1:]).round().clip(0, 255).astype(np.uint8)


def get_features(name: str, images: NDArray[np.uint8], extractor: Extractor) -> Features:
    """Extract the features of images, or read them from the cache."""
    dataset = ImageDataset(name, name, "CC BY 4.0", images, compute_fingerprint(images))
    return report(name, dataset, np.arange(len(dataset)), extractor)


def report(
    name: str, dataset: ImageDataset, indices: NDArray[np.int64], extractor: Extractor
) -> Features:
    """Extract the features of these images with progress on stderr."""
    found = extract_dataset_features(
        dataset,
        indices,
        extractor,
        on_progress=lambda done, total: print(
            f"\r{name}: features of {done:,} of {total:,}", end="", file=sys.stderr
        ),
    )
    print(file=sys.stderr)
    return found.features


def describe(outcome: Outcome, seed: int) -> None:
    """Print one outcome on stderr."""
    found = outcome.diagnosis
    verdict = found.verdict.text if found.verdict else "none"
    word = "right" if outcome.is_right else "WRONG"
    print(f"{outcome.case.title}, seed {seed}: {word}. {verdict}", file=sys.stderr, flush=True)


def format_table(cases: list[Case], outcomes: list[Outcome]) -> str:
    """Lay the outcomes out as a Markdown table."""
    lines = [
        "| generator | right verdict | found | different images, estimated: median (range) "
        "| distance between samples | closer than real images | one image far nearer |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        own = [outcome for outcome in outcomes if outcome.case is case]
        right = sum(outcome.is_right for outcome in own)
        cells = (
            case.title,
            case.verdict.replace("_", " "),
            f"{right} of {len(own)}",
            _format_support([outcome.diagnosis for outcome in own]),
            _format_median(o.diagnosis.spread.ratio for o in own if o.diagnosis.spread),
            _format_share(o.diagnosis.copying.close_share for o in own if o.diagnosis.copying),
            _format_share(o.diagnosis.copying.ratio_share for o in own if o.diagnosis.copying),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _format_support(diagnoses: list[Diagnosis]) -> str:
    found = [d.duplicates for d in diagnoses if d.duplicates is not None]
    values = [d.support for d in found if d.support is not None]
    if len(values) < len(found):
        return f"at least {min(d.support_interval[0] for d in found):,.0f}"
    return f"{np.median(values):,.4g} ({min(values):,.4g} to {max(values):,.4g})"


def _format_median(values: Iterator[float]) -> str:
    return f"{np.median(list(values)):.2f}"


def _format_share(values: Iterator[float]) -> str:
    return f"{np.median(list(values)):.0%}"


def _compute_normal_share(value: float) -> float:
    """Return the share of a standard normal variable below a value, less than 1."""
    return min(0.5 * (1 + math.erf(value / math.sqrt(2))), 1 - 1e-9)


if __name__ == "__main__":
    main()
