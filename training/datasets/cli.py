"""Command-line options of data sets, and `python -m training datasets`."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.datasets.labels import UNKNOWN
from training.datasets.registry import DATASETS, load_dataset
from training.datasets.types import (
    MAX_RESOLUTION,
    MIN_RESOLUTION,
    DatasetOptions,
    ImageDataset,
    check_crop,
)
from training.datasets.value_names import ValueName, parse_value_names
from training.errors import DatasetError
from training.models.config import RESOLUTIONS
from training.tables import format_table

DESCRIPTION = "List the data sets; with a name, decode that one and show what is in it."
MAX_SHOWN_VALUES = 8


def add_dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a data set is decoded."""
    defaults = DatasetOptions()
    group = parser.add_argument_group("data set")
    group.add_argument(
        "--resolution",
        type=int,
        default=defaults.resolution,
        help=f"height and width in pixels, {MIN_RESOLUTION} to {MAX_RESOLUTION}; to train, one of "
        f"{', '.join(map(str, RESOLUTIONS))} (default: %(default)s)",
    )
    group.add_argument(
        "--channels",
        type=int,
        choices=(1, 3),
        default=defaults.channels,
        help="3 for colour, 1 for grey (default: %(default)s)",
    )
    add_source_arguments(group)
    group.add_argument("--title", help="what your images are called in what is made of them")
    group.add_argument("--terms", help="terms of use of your images, noted in what is made of them")
    group.add_argument(
        "--value-names",
        type=convert_value_names,
        action="append",
        default=[],
        metavar="LABEL:VALUE=NAME,...",
        help="what to call the values of a label, such as gender:0=male,1=female; once per label",
    )


def add_source_arguments(group: argparse._ActionsContainer) -> None:
    """Add the options that say which images a data set has, and where they are."""
    group.add_argument(
        "--crop",
        type=parse_crop,
        metavar="L,T,R,B",
        help="cut this square out of every image: left,top,right,bottom in pixels "
        "(default: the centred square)",
    )
    add_place_arguments(group)
    group.add_argument(
        "--max-images", type=int, help="use only the first so many images (avatars: draw so many)"
    )


def add_place_arguments(parser: "argparse._ActionsContainer") -> None:
    """Add the options that say where images lie, and where what is made of them is kept."""
    parser.add_argument(
        "--data-root",
        type=parse_folder,
        help="where mnist, fashion-mnist, cifar10 and celeba lie, or are downloaded to (downloads/ "
        "in the cache)",
    )
    parser.add_argument(
        "--cache-dir",
        type=parse_folder,
        help="where decoded images, and references and readers made of them, are kept",
    )


def get_dataset_options(args: argparse.Namespace) -> DatasetOptions:
    """Collect the options that add_dataset_arguments added; raise DatasetError if out of range."""
    return replace(
        get_source_options(args, args.resolution, args.channels),
        title=args.title,
        terms=args.terms,
        value_names=tuple(name for names in args.value_names for name in names),
    )


def get_source_options(args: argparse.Namespace, resolution: int, channels: int) -> DatasetOptions:
    """Collect the options that add_source_arguments added; raise DatasetError if out of range."""
    return DatasetOptions(
        resolution=resolution,
        channels=channels,
        crop=args.crop,
        data_root=args.data_root,
        cache_dir=args.cache_dir,
        max_images=args.max_images,
    )


def parse_folder(text: str) -> Path:
    """Parse a folder; a shell leaves the ~ of --cache-dir=~/x to programs."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} begins with ~, and there is no such home folder"
        ) from None


def parse_crop(text: str) -> tuple[int, int, int, int]:
    """Parse left,top,right,bottom; raise ArgumentTypeError saying what is wrong."""
    try:
        left, top, right, bottom = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not four whole numbers left,top,right,bottom, such as 0,10,89,99"
        ) from None
    crop = (left, top, right, bottom)
    try:
        check_crop(crop)
    except DatasetError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return crop


def convert_value_names(text: str) -> tuple[ValueName, ...]:
    """Parse names of values; raise ArgumentTypeError saying what is wrong."""
    try:
        return parse_value_names(text)
    except DatasetError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_datasets_parser(subparsers: Any) -> None:
    """Add the subcommand `datasets`."""
    parser = subparsers.add_parser("datasets", help="list data sets", description=DESCRIPTION)
    parser.add_argument(
        "name", nargs="?", help="avatars, avatars:STYLE, folder:PATH, mnist, ... (default: list)"
    )
    add_dataset_arguments(parser)
    parser.set_defaults(run=run_datasets)


def run_datasets(args: argparse.Namespace) -> int:
    """Print the list of data sets, or what is in the named one; return the exit status."""
    options = get_dataset_options(args)
    if args.name is None:
        print(format_table(list_datasets(options)))
    else:
        print(format_dataset(load_dataset(args.name, options)))
    return 0


def list_datasets(options: DatasetOptions) -> list[tuple[str, ...]]:
    """Return the table of data sets, its first row being the header."""
    rows = [
        (
            source.key + source.argument,
            source.title,
            source.size,
            source.terms,
            source.find(options),
        )
        for source in DATASETS.values()
    ]
    return [("NAME", "TITLE", "SIZE", "LICENCE OR TERMS", "HERE"), *rows]


def format_dataset(dataset: ImageDataset) -> str:
    """Describe one data set, a fact a line."""
    size = f"{dataset.resolution}x{dataset.resolution}x{dataset.channels}"
    facts = [
        ("name", dataset.name),
        ("title", dataset.title),
        ("terms", dataset.terms),
        ("images", f"{len(dataset):,} of {size}"),
        ("fingerprint", dataset.fingerprint),
    ]
    for column in dataset.label_columns:
        shown = _list_values(column.values)
        facts.append(("label", f"{column.name}, {len(column.values)} values: {shown}"))
    facts += [("note", note) for note in dataset.notes]
    return format_table([(f"{name}:", text) for name, text in facts])


def _list_values(values: tuple[str, ...]) -> str:
    """List the first values, and whether any image has none."""
    shown = values[:MAX_SHOWN_VALUES]
    if len(values) > MAX_SHOWN_VALUES:
        shown += ("...",)
    if UNKNOWN in values[MAX_SHOWN_VALUES:]:
        shown += (UNKNOWN,)
    return ", ".join(shown)
