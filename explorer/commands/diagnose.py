"""The command `diagnose`: has a model collapsed, does it miss modes, does it copy."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from explorer.commands.common import (
    Subparsers,
    add_common_arguments,
    add_scoring_arguments,
    build_sampler,
)
from explorer.comparison import get_reference_for
from explorer.diagnosis.on_disk import find_dataset_on_disk
from explorer.diagnosis.request import MAX_SAMPLES, MIN_SAMPLES, DiagnosisOptions
from explorer.diagnosis.sheets import write_sheets
from explorer.diagnosis.stream import stream_diagnosis
from explorer.diagnosis.table import format_diagnoses
from explorer.diagnosis.types import Diagnosis
from explorer.feature_bank import FeatureBank
from explorer.label_reading import ReaderShelf
from explorer.sampler import Sampler
from training.cli import EXIT_INTERRUPTED
from training.datasets import load_dataset
from training.datasets.cli import add_source_arguments, get_source_options
from training.datasets.types import ImageDataset
from training.errors import ConfigError
from training.files import check_writable, explain_write_errors
from training.metrics.reference import load_reference

MAX_MODELS = 2


def add_diagnose_parser(subparsers: Subparsers) -> None:
    """Add `diagnose`, which looks for collapse, missing modes and copies."""
    parser = subparsers.add_parser(
        "diagnose",
        help="look for collapse, missing modes and copies of training images",
        description="Diagnose one model, or two beside each other, from its samples. "
        "docs/DIAGNOSIS.md explains what is measured.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="one or two names")
    parser.add_argument(
        "--num-samples",
        type=int,
        default=1000,
        help=f"samples per model, {MIN_SAMPLES} to {MAX_SAMPLES} (%(default)s)",
    )
    add_scoring_arguments(
        parser, "statistics of real images (those of the images that each model learned)"
    )
    parser.add_argument(
        "--data",
        metavar="NAME",
        help="data set to search for copies, such as avatars or folder:PATH (the decoded one of "
        "the images that the model learned, where it is on this machine)",
    )
    add_source_arguments(parser.add_argument_group("data set of --data, as it was learned"))
    parser.add_argument("--json", action="store_true", help="print a JSON list, not a table")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="write the closest pairs, the flattest and strongest directions and the nearest real "
        "images as PNG files",
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run_diagnose)


def run_diagnose(args: argparse.Namespace) -> int:
    """Print the diagnoses of models on stdout, and how far they are on stderr.

    Interrupted, it prints what is measured by then and returns 130.
    """
    names = list(dict.fromkeys(args.models))
    if len(names) > MAX_MODELS:
        raise ConfigError(f"{len(names)} models were named: diagnose one, or two side by side.")
    if args.images is not None:
        check_writable(args.images)  # before minutes are spent
    sampler = build_sampler(args)
    bank = FeatureBank(sampler)
    datasets = {name: find_dataset(sampler, name, args) for name in names}
    streams = {name: start_stream(bank, name, datasets[name], args) for name in names}
    last, is_whole = _drain(streams)
    if args.json:
        print(json.dumps([diagnosis.to_dict() for diagnosis in last.values()], indent=2))
    elif last:
        print(format_diagnoses(list(last.values())))
    # Last: where a file was replaced since, there is no picture, but what was measured is there.
    if args.images is not None:
        with explain_write_errors(args.images):
            for name in last:
                for path in write_sheets(args.images, last[name], sampler, datasets[name]):
                    print(f"Written: {path}", file=sys.stderr)
    return 0 if is_whole else EXIT_INTERRUPTED


def find_dataset(sampler: Sampler, name: str, args: argparse.Namespace) -> ImageDataset | None:
    """Return the data set named, else the one that the model learned if it is on this machine."""
    header = sampler.get_header(name)
    model = header.model
    options = get_source_options(args, model.img_resolution, model.img_channels)
    if args.data is not None:
        return load_dataset(args.data, options)
    if options.crop or options.data_root or options.max_images:
        raise ConfigError("--crop, --data-root and --max-images are of the set that --data names.")
    return find_dataset_on_disk(header.dataset, options.cache_dir)


def start_stream(
    bank: FeatureBank, name: str, dataset: ImageDataset | None, args: argparse.Namespace
) -> Iterator[Diagnosis]:
    """Start a model's diagnosis; raises what keeps it from being made, before any work."""
    given = load_reference(args.reference) if args.reference else None
    reference = get_reference_for(bank.sampler, name, args.extractor, given)
    if args.data is None and dataset is not None:
        # Found by itself: of no use beside a reference of other images, but no mistake either.
        is_same = dataset.fingerprint == reference.dataset.get("fingerprint")
        dataset = dataset if is_same else None
    samples = bank.open(name, bank.get_extractor(args.extractor), args.seed)
    options = DiagnosisOptions(num_samples=args.num_samples)
    reader = ReaderShelf(bank.sampler.library).find(name)
    return stream_diagnosis(bank.sampler, samples, reference, options, dataset, reader)


def _drain(streams: dict[str, Iterator[Diagnosis]]) -> tuple[dict[str, Diagnosis], bool]:
    """Take values from the streams in turns until all have ended, or until Ctrl-C.

    Returns the last values, in the streams' order, and whether all have ended.
    """
    last: dict[str, Diagnosis] = {}
    waiting = list(streams)
    try:
        while waiting:
            for name in list(waiting):
                update = next(streams[name], None)
                if update is None:
                    waiting.remove(name)
                else:
                    last[name] = update
                    verdict = f" ({update.verdict.title.lower()})" if update.verdict else ""
                    print(f"{name}: {update.stage}{verdict}", file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted: what is measured by now follows.", file=sys.stderr)
    return last, not waiting
