"""The command `reader`: trains the independent reader of a data set's labels."""

import argparse
from pathlib import Path

from training.datasets import load_dataset
from training.datasets.cli import add_dataset_arguments, get_dataset_options
from training.datasets.label_rows import read_label_rows
from training.devices import select_device
from training.files import check_output
from training.metrics.cli_arguments import (
    DEFAULT_READER_FOLDER,
    Subparsers,
    add_device_argument,
    parse_count,
)
from training.metrics.label_agreement import format_agreement
from training.metrics.label_reader import NUM_IMAGES_SEEN, train_reader
from training.metrics.reader_files import choose_reader_path, save_reader
from training.tables import format_table


def add_reader_parser(subparsers: Subparsers) -> None:
    """Add `reader`, which trains the independent reader of a data set's labels."""
    parser = subparsers.add_parser(
        "reader",
        help="train the independent reader of labels",
        description="Train a network that reads the labels of real images, for `fidelity`.",
    )
    parser.add_argument("--data", required=True, help="data set with labels, such as avatars")
    parser.add_argument(
        "--labels", default="", help="labels to read, such as gender,age:number (all)"
    )
    parser.add_argument(
        "--images-seen",
        type=parse_count,
        default=NUM_IMAGES_SEEN,
        metavar="N",
        help="train on so many images, again and again (%(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, help=f"file to write ({DEFAULT_READER_FOLDER}/DATA-RES)"
    )
    add_device_argument(parser)
    add_dataset_arguments(parser)
    parser.set_defaults(run=run_reader)


def run_reader(args: argparse.Namespace) -> int:
    """Train a reader, write it, and print how well it reads real images."""
    if args.output is not None:  # before minutes are spent
        check_output(args.output)
    dataset = load_dataset(args.data, get_dataset_options(args))
    labels = read_label_rows(dataset, args.labels)
    path = args.output or choose_reader_path(DEFAULT_READER_FOLDER, dataset, labels.layout)
    check_output(path)
    reader = train_reader(dataset, labels, select_device(args.device), args.images_seen)
    save_reader(path, reader)
    rows = [("label", f"read off {reader.num_held_out:,} real images it did not learn from")]
    rows += [(one.name, format_agreement(one.describe())) for one in reader.agreements]
    print(format_table(rows))
    print(f"Written: {path}")
    return 0
