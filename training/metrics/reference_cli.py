"""The command `reference`: what scores compare with, from a data set's real images."""

import argparse
from pathlib import Path

from training.datasets import load_dataset
from training.datasets.cli import add_dataset_arguments, get_dataset_options
from training.devices import select_device
from training.files import check_output
from training.metrics.cli_arguments import (
    REFERENCE_FOLDER,
    Subparsers,
    add_extractor_arguments,
    parse_count,
)
from training.metrics.extractors import EXTRACTORS, identify_weights
from training.metrics.reference import (
    MAX_IMAGES,
    ReferenceStatistics,
    get_reference,
    save_reference,
)
from training.metrics.reference_search import choose_reference_path
from training.metrics.registry import METRICS

EXAMPLES = """examples:
  python -m training reference --data avatars
  python -m training reference --data folder:photos.zip --crop 0,10,89,99 --extractor inception
"""


def add_reference_parser(subparsers: Subparsers) -> None:
    """Add `reference`, which computes and writes the statistics of a data set."""
    parser = subparsers.add_parser(
        "reference",
        help="compute what scores compare with: statistics of real images",
        description="Compute the feature statistics and the noise floor of a data set. What was"
        " computed of the same images before is taken from the cache.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True, help="data set, such as avatars or folder:PATH")
    add_extractor_arguments(parser)
    parser.add_argument(
        "--reference-images",
        type=parse_count,
        default=MAX_IMAGES,
        metavar="N",
        help="use at most so many images, chosen at random (%(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, help=f"file to write ({REFERENCE_FOLDER}/DATA-RES-EXTRACTOR)"
    )
    add_dataset_arguments(parser)
    parser.set_defaults(run=run_reference)


def run_reference(args: argparse.Namespace) -> int:
    """Compute and write reference statistics, and print what real images get."""
    if args.output is not None:  # before minutes are spent
        check_output(args.output)
    dataset = load_dataset(args.data, get_dataset_options(args))
    weights = identify_weights(args.extractor, args.extractor_weights)
    num_images = min(len(dataset), args.reference_images)
    path = args.output or choose_reference_path(
        REFERENCE_FOLDER, dataset.describe(), args.extractor, num_images, weights
    )
    check_output(path)
    reference = get_reference(
        dataset,
        args.extractor,
        args.cache_dir,
        weights=args.extractor_weights,
        device=select_device(args.device),
        max_images=args.reference_images,
    )
    save_reference(path, reference)
    print(format_reference(reference))
    print(f"Written: {path}")
    return 0


def format_reference(reference: ReferenceStatistics) -> str:
    """Describe a reference, its noise floor, and what real images get in the metrics."""
    used, total = reference.statistics.num_samples, reference.details["num_images"]
    score_name = EXTRACTORS[reference.extractor].score_name
    lines = [
        f"{reference.name}: {used:,} of {total:,} images ({reference.details['selection']}),"
        f" extractor {reference.extractor}",
        f"{'samples':>10}  {score_name} of real images (noise floor)",
    ]
    lines += [f"{count:>10,}  {score:.2f}" for count, score in reference.noise_floor]
    return "\n".join([*lines, *_format_baselines(reference)])


def _format_baselines(reference: ReferenceStatistics) -> list[str]:
    baselines = reference.real.baselines if reference.real else {}
    measured = {key: dict(pairs) for key, pairs in baselines.items() if pairs}
    if not measured or reference.real is None:
        return []
    titles = "".join(f"  {METRICS[key].title:>9}" for key in measured)
    kept = len(reference.real.features)
    lines = [f"{'samples':>10}{titles}  of real images against {kept:,} others"]
    for count in next(iter(measured.values())):
        cells = "".join(f"  {values[count]:>z9.4f}" for values in measured.values())
        lines.append(f"{count:>10,}{cells}")
    return lines
