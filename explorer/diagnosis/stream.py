"""A diagnosis while samples come in: a first one after 32 samples, then about one per second."""

import itertools
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.diagnosis.copy_search import CopySearch, explain_no_search
from explorer.diagnosis.label_fidelity import explain_labels, stream_fidelity
from explorer.diagnosis.parts import (
    MAX_FOR_METRICS,
    build_duplicates,
    build_map,
    build_metrics,
    build_modes,
    build_spread,
    count_modes,
    prepare_metrics,
)
from explorer.diagnosis.request import DiagnosisOptions, SampleSource, check_request
from explorer.diagnosis.sensitivity import stream_sensitivity
from explorer.diagnosis.types import Copying, Diagnosis
from explorer.diagnosis.verdict import judge
from explorer.feature_bank import BATCH_SIZE
from explorer.sampler import Sampler
from training.datasets.types import ImageDataset
from training.metrics.dataset_features import DatasetFeatures, open_dataset_features
from training.metrics.extractors import Extractor
from training.metrics.real_features import RealFeatures
from training.metrics.reference import MAX_IMAGES, ReferenceStatistics
from training.metrics.registry import Prepared

if TYPE_CHECKING:
    from training.metrics.label_reader import LabelReader

FIRST_AT = 32
SECONDS_OF_SAMPLES, SECONDS_OF_PARTS = 0.4, 0.2
# What takes long is measured again only after so many times its own duration.
PAUSE_FACTOR = 12

Features = NDArray[np.float32]


def stream_diagnosis(
    sampler: Sampler | None,
    samples: SampleSource,
    reference: ReferenceStatistics,
    options: DiagnosisOptions,
    dataset: ImageDataset | None = None,
    reader: "LabelReader | None" = None,
) -> Iterator[Diagnosis]:
    """Yield the diagnosis of a model's first samples, whole each time, until all is measured.

    `dataset`: the images that the reference was made of, if they are here. `reader`: who reads the
    labels of a model that has some. Without a sampler sensitivity and labels are left out. What is
    cheap comes with every yield, what is not when it has become affordable, and everything at the
    end. Closing the iterator stops the work between two steps.

    A model whose file is replaced meanwhile ends it with MetricError: no diagnosis is of two
    generators. Raises MetricError here, before any work: below 64 or above 50,000 samples, for a
    reference without real features, of another extractor, or for another data set than its own.
    """
    real = check_request(samples, reference, options, dataset)
    return _Run(sampler, samples, reference, real, options, dataset, reader).stream()


@dataclass
class _Part:
    """Hold one measurement, and when it may be taken again."""

    measure: Callable[[Features], None]
    due_at: float = 0.0
    num_measured: int = 0

    def run(self, features: Features) -> None:
        began = time.monotonic()
        self.measure(features)
        self.num_measured = len(features)
        seconds = time.monotonic() - began
        self.due_at = began + seconds * (1 + PAUSE_FACTOR)


@dataclass
class _Run:
    """Hold the state of one diagnosis: the samples so far and what is measured of them."""

    sampler: Sampler | None
    samples: SampleSource
    reference: ReferenceStatistics
    real: RealFeatures
    options: DiagnosisOptions
    dataset: ImageDataset | None
    reader: "LabelReader | None"
    features: Features = field(init=False)
    num_samples: int = 0
    state: Diagnosis = field(init=False)
    search: CopySearch | None = None
    prepared: dict[str, Prepared] | None = None
    mode_counts: list[NDArray[np.int64]] = field(default_factory=list)
    num_classified: int = 0

    def __post_init__(self) -> None:
        dim = self.real.features.shape[1]
        self.features = np.empty((self.options.num_samples, dim), dtype=np.float32)
        reason = explain_no_search(self.real)
        self.state = Diagnosis(
            model=self.samples.model,
            extractor=self.reference.extractor,
            reference=self.reference.title,
            num_samples=0,
            target=self.options.num_samples,
            stage="Starting",
            base_seed=self.samples.base_seed,
            checkpoint=self.samples.fingerprint,
            copying=Copying(reason=reason) if reason else None,
            mode_note=None
            if self.reference.modes
            else f"{self.reference.title} has no labels, so there are no known modes to count.",
            label_note=explain_labels(self.sampler, self.samples.model, self.reader),
        )

    def stream(self) -> Generator[Diagnosis, None, None]:
        """Take samples and measure in turns, then measure everything once more of all samples."""
        others = [self._move_in_z(), self._read_labels()]
        parts = [
            _Part(self._measure_pairs),
            _Part(self._measure_modes),
            _Part(self._measure_copies),
            _Part(self._measure_map),
            _Part(self._measure_metrics),
        ]
        while self.num_samples < len(self.features):
            self._take_samples()
            self._run_due(parts)
            yield self._report(f"{self.num_samples:,} of {len(self.features):,} samples")
            for other in others:  # a step of each
                yield from itertools.islice(other, 1)
        for part in parts:
            if part.num_measured < self.num_samples:
                part.run(self.features)
                yield self._report(f"Measuring all {self.num_samples:,} samples")
        for other in others:
            yield from other
        yield from self._search_all_images()
        yield self._report(f"Done: {self.num_samples:,} samples", is_done=True)

    def _take_samples(self) -> None:
        """Take the first 32 samples, or those of the next moment."""
        ends_at = time.monotonic() + SECONDS_OF_SAMPLES
        total = FIRST_AT if self.num_samples == 0 else len(self.features)
        while self.num_samples < min(total, len(self.features)):
            start = self.num_samples
            count = min(BATCH_SIZE, len(self.features) - start)
            self.features[start : start + count] = self.samples.get(start, count)
            self.num_samples = start + count
            if time.monotonic() >= ends_at and start > 0:
                break

    def _run_due(self, parts: list[_Part]) -> None:
        """Run the parts that are due, the longest due first, until the time for them is over.

        The first yield comes quickly: only the two cheap parts, which stand first, are in it.
        """
        features = self.features[: self.num_samples]
        is_first = self.num_samples <= FIRST_AT
        ends_at = time.monotonic() + SECONDS_OF_PARTS
        for part in parts[:2] if is_first else sorted(parts, key=lambda part: part.due_at):
            if part.due_at <= time.monotonic() <= ends_at:
                part.run(features)

    def _report(self, stage: str, is_done: bool = False) -> Diagnosis:
        state = replace(self.state, num_samples=self.num_samples, stage=stage, is_done=is_done)
        self.state = replace(state, verdict=judge(state))
        return self.state

    def _measure_pairs(self, features: Features) -> None:
        known = self.state.spread
        rows = known.metrics if known else ()
        duplicates = build_duplicates(features, self.real, self.samples.base_seed)
        spread = build_spread(features, self.real, rows, known.num_measured if known else 0)
        self.state = replace(self.state, duplicates=duplicates, spread=spread)

    def _measure_metrics(self, features: Features) -> None:
        if self.prepared is None:
            self.prepared = prepare_metrics(self.real)
        rows = build_metrics(features, self.real, self.prepared)
        if self.state.spread is not None:
            num_measured = min(len(features), MAX_FOR_METRICS)
            spread = replace(self.state.spread, metrics=rows, num_measured=num_measured)
            self.state = replace(self.state, spread=spread)

    def _measure_modes(self, features: Features) -> None:
        new = count_modes(features[self.num_classified :], self.reference.modes)
        known = self.mode_counts
        self.mode_counts = [a + b for a, b in zip(known, new, strict=True)] if known else new
        self.num_classified = len(features)
        modes = build_modes(self.mode_counts, self.reference.modes)
        self.state = replace(self.state, modes=modes)

    def _measure_copies(self, features: Features) -> None:
        if self.state.copying is not None and self.state.copying.reason:
            return
        if self.search is None:
            self.search = CopySearch(self.real, self._count_dataset())
        self.search.search(features)
        self._build_copying()

    def _build_copying(self) -> None:
        assert self.search is not None
        duplicates = self.state.duplicates
        support = duplicates.support if duplicates else None
        copying = self.search.build(self.samples.base_seed, support)
        self.state = replace(self.state, copying=copying)

    def _measure_map(self, features: Features) -> None:
        self.state = replace(self.state, map=build_map(features, self.real, self.samples.base_seed))

    def _move_in_z(self) -> Iterator[Diagnosis]:
        """Measure how images change with z; every step asks the sampler."""
        if self.sampler is None or not self.options.has_sensitivity:
            return
        model, base_seed = self.samples.model, self.samples.base_seed
        for found in stream_sensitivity(self.sampler, model, base_seed):
            self.samples.check_weights()  # the sampler loads a file that has changed meanwhile
            self.state = replace(self.state, sensitivity=found)
            yield self._report("Moving the image in z")

    def _read_labels(self) -> Iterator[Diagnosis]:
        """Let the reader read the samples' labels; every step asks the sampler."""
        if self.sampler is None or self.reader is None:
            return
        model, base_seed = self.samples.model, self.samples.base_seed
        count = self.options.num_samples
        for found in stream_fidelity(self.sampler, model, self.reader, base_seed, count):
            self.samples.check_weights()
            self.state = replace(self.state, labels=found)
            yield self._report(f"Reading the labels of {found[0].num_samples:,} samples")

    def _count_dataset(self) -> int:
        number = self.reference.dataset.get("num_images", self.real.num_images)
        return number if isinstance(number, int) else self.real.num_images

    def _search_all_images(self) -> Iterator[Diagnosis]:
        """Look for copies among all the images that the reference was made of, if they are here."""
        if self.dataset is None or (self.state.copying is not None and self.state.copying.reason):
            return
        if self.real.num_images > MAX_IMAGES:
            return
        extractor, indices = self.samples.extractor, self.real.measured_indices
        known = open_dataset_features(self.dataset, indices, extractor.key, extractor.dim)
        if not known.is_done and not self.options.extract_dataset:
            return
        yield from self._extract(known, extractor)
        self.search = CopySearch(self.real, self._count_dataset(), known.features)
        for start in range(0, self.num_samples, 512):
            self.search.search(self.features[: start + 512])
            yield self._report(f"Searching {self.real.num_images:,} real images")
        self._build_copying()

    def _extract(self, known: DatasetFeatures, extractor: Extractor) -> Iterator[Diagnosis]:
        total, reported_at = len(known.indices), time.monotonic()
        while not known.is_done:
            num_done = known.advance(extractor)
            if time.monotonic() - reported_at >= SECONDS_OF_SAMPLES:
                reported_at = time.monotonic()
                yield self._report(
                    f"Looking at the real images, once for all: {num_done:,} of {total:,}"
                )
