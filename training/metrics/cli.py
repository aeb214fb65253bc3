"""The commands `reference` and `evaluate`: statistics of real images, scores of checkpoints."""

import argparse
import json
import re
from pathlib import Path
from typing import TypeAlias

from tqdm import tqdm

from training.checkpoint import CheckpointHeader, load_generator, load_header
from training.datasets import load_dataset
from training.datasets.cli import add_dataset_arguments, get_dataset_options
from training.devices import select_device
from training.errors import MetricError
from training.files import get_cache_dir
from training.latents import check_seed
from training.metrics.estimator import compute_score
from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS, Extractor, load_extractor
from training.metrics.reference import (
    MAX_IMAGES,
    ReferenceStatistics,
    compute_reference,
    find_reference,
    load_reference,
    save_reference,
)
from training.metrics.sampling import make_features, make_seeded_images
from training.metrics.score import Score, describe_score

REFERENCE_FOLDER = Path("checkpoints/references")
REFERENCE_EXAMPLES = """examples:
  python -m training reference --data avatars
  python -m training reference --data folder:photos.zip --crop 0,10,89,99 --extractor inception
"""
EVALUATE_EXAMPLES = """examples:
  python -m training evaluate checkpoints/dcgan-avatars.safetensors
  python -m training evaluate checkpoints/*.safetensors --num-samples 10000 --json > scores.json
"""

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_reference_parser(subparsers: Subparsers) -> None:
    """Add `reference`, which computes and writes the statistics of a data set."""
    parser = subparsers.add_parser(
        "reference",
        help="compute what scores compare with: statistics of real images",
        description="Compute the feature statistics and the noise floor of a data set.",
        epilog=REFERENCE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True, help="data set, such as avatars or folder:PATH")
    _add_extractor_arguments(parser)
    parser.add_argument(
        "--reference-images",
        type=_parse_count,
        default=MAX_IMAGES,
        metavar="N",
        help="use at most so many images, evenly spaced (%(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, help=f"file to write ({REFERENCE_FOLDER}/DATA-RES-EXTRACTOR)"
    )
    add_dataset_arguments(parser)
    parser.set_defaults(run=run_reference)


def run_reference(args: argparse.Namespace) -> int:
    """Compute and write reference statistics, and print their noise floor."""
    device = select_device(args.device)
    dataset = load_dataset(args.data, get_dataset_options(args))
    reference = compute_reference(
        dataset,
        args.extractor,
        weights=args.extractor_weights,
        device=device,
        max_images=args.reference_images,
    )
    path = args.output or get_default_path(reference)
    save_reference(path, reference)
    print(format_reference(reference))
    print(f"Written: {path}")
    return 0


def add_evaluate_parser(subparsers: Subparsers) -> None:
    """Add `evaluate`, which scores checkpoints against the data they were trained on."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score checkpoints",
        description="Score the samples of checkpoints against real images; lower is better.",
        epilog=EVALUATE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CHECKPOINT")
    parser.add_argument(
        "--num-samples", type=_parse_count, default=5000, help="samples per model (%(default)s)"
    )
    _add_extractor_arguments(parser)
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="FILE",
        help=f"reference statistics (a matching one in {REFERENCE_FOLDER}, in references/ beside"
        " the checkpoint, or in the cache)",
    )
    parser.add_argument(
        "--batch-size", type=_parse_count, default=64, help="images per batch (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first sample; the rest count up (0)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list, not a table")
    parser.set_defaults(run=run_evaluate)


def run_evaluate(args: argparse.Namespace) -> int:
    """Score checkpoints and print a table or JSON on stdout, progress on stderr."""
    check_seed(args.seed)
    check_seed(args.seed + args.num_samples - 1)
    device = select_device(args.device)
    # Everything that can be found missing is, before the first of many minutes is spent.
    references = [_get_reference_for(path, load_header(path), args) for path in args.checkpoints]
    extractor = load_extractor(args.extractor, args.extractor_weights, device)
    scores = [
        (path.stem, evaluate_checkpoint(path, reference, extractor, args))
        for path, reference in zip(args.checkpoints, references, strict=True)
    ]
    print(format_scores_as_json(scores) if args.json else format_scores(scores))
    return 0


def evaluate_checkpoint(
    path: Path, reference: ReferenceStatistics, extractor: Extractor, args: argparse.Namespace
) -> Score:
    """Score the samples of one checkpoint's seeds `seed` to `seed + num_samples - 1`."""
    generator, _ = load_generator(path, extractor.device)
    make_images = make_seeded_images(generator, extractor.device, args.seed)
    get_features = make_features(make_images, extractor)
    with tqdm(total=args.num_samples, desc=path.stem, unit="img") as bar:
        return compute_score(
            get_features, reference, extractor, args.num_samples, args.batch_size, bar.update
        )


def get_default_path(reference: ReferenceStatistics, folder: Path = REFERENCE_FOLDER) -> Path:
    """Return where a reference goes: FOLDER/<data set>-<resolution>-<extractor>.safetensors."""
    slug = re.sub(r"[^a-z0-9]+", "-", reference.name.lower()).strip("-")
    name = f"{slug}-{reference.dataset['resolution']}-{reference.extractor}.safetensors"
    return folder / name


def format_reference(reference: ReferenceStatistics) -> str:
    """Describe a reference and its noise floor in a few lines of text."""
    used, total = reference.statistics.num_samples, reference.details["num_images"]
    score_name = EXTRACTORS[reference.extractor].score_name
    lines = [
        f"{reference.name}: {used:,} of {total:,} images ({reference.details['selection']}),"
        f" extractor {reference.extractor}",
        f"{'samples':>10}  {score_name} of real images (noise floor)",
    ]
    lines += [f"{count:>10,}  {score:.2f}" for count, score in reference.noise_floor]
    return "\n".join(lines)


def format_scores(scores: list[tuple[str, Score]]) -> str:
    """Lay scores out as a table; "~" marks a noise floor that is extrapolated."""
    rows = [("model", "score", "name", "samples", "noise floor", "reference")]
    for name, score in scores:
        floor = f"{'' if score.is_noise_floor_measured else '~'}{score.noise_floor:.2f}"
        samples = f"{score.num_samples:,}"
        rows.append((name, f"{score.value:.2f}", score.score_name, samples, floor, score.reference))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def format_scores_as_json(scores: list[tuple[str, Score]]) -> str:
    """Write scores as a JSON list: `name`, then what `describe_score` returns."""
    return json.dumps([{"name": name, **describe_score(score)} for name, score in scores], indent=2)


def _get_reference_for(
    path: Path, header: CheckpointHeader, args: argparse.Namespace
) -> ReferenceStatistics:
    if args.reference is None:
        folders = [REFERENCE_FOLDER, path.parent / "references", get_cache_dir() / "references"]
        reference = find_reference(header.dataset, args.extractor, folders)
    else:
        reference = load_reference(args.reference)
    if reference is None:
        name, resolution = header.dataset.get("name"), header.dataset.get("resolution")
        raise MetricError(
            f"Evaluate: found no {args.extractor} reference statistics of {path.name}'s data set"
            f" {name} at {resolution} px in {', '.join(map(str, folders))}; make them with"
            f" `python -m training reference --data {name} --resolution {resolution}"
            f" --extractor {args.extractor}`, or name a file with --reference."
        )
    _check_resolution(path, header, reference)
    return reference


def _check_resolution(path: Path, header: CheckpointHeader, reference: ReferenceStatistics) -> None:
    found, expected = header.model.img_resolution, reference.dataset.get("resolution")
    if found != expected:
        raise MetricError(
            f"Evaluate: {path.name} makes images of {found} px, the reference {reference.name} is"
            f" of {expected} px; a score needs one resolution. Make a reference with"
            f" --resolution {found}."
        )


def _add_extractor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--extractor",
        choices=EXTRACTORS,
        default=DEFAULT_EXTRACTOR,
        help="feature network; only inception gives FID (%(default)s)",
    )
    parser.add_argument(
        "--extractor-weights", type=Path, metavar="FILE", help="file with the network's weights"
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cuda, mps or cpu (%(default)s)", metavar="DEVICE"
    )


def _parse_count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number above 0")
    return int(text)
