"""The command `sample`: images of seeds."""

import argparse
from pathlib import Path

from explorer.commands.common import (
    Subparsers,
    add_common_arguments,
    add_image_arguments,
    build_sampler,
    parse_labels,
    write_recipe,
)
from explorer.labels import choose_sheet
from explorer.latents import MAX_SEED, parse_seeds
from explorer.recipe import Recipe


def add_sample_parser(subparsers: Subparsers) -> None:
    """Add `sample`, which writes one image, or a grid."""
    parser = subparsers.add_parser(
        "sample", help="write images of seeds", description="Write one image, or a grid, as a PNG."
    )
    parser.add_argument("model", metavar="MODEL", help="name of a checkpoint, without the suffix")
    parser.add_argument(
        "--seeds",
        default="0-63",
        help=f"numbers and ranges, such as 0-15,42; each 0 to {MAX_SEED} (%(default)s)",
    )
    parser.add_argument(
        "--columns", type=int, default=8, help="images side by side, from 1 (%(default)s)"
    )
    add_image_arguments(parser, default_size=0)
    parser.add_argument(
        "--across",
        default="",
        metavar="NAME",
        help="a label whose values go across, one seed to a row, instead of --columns",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("grid.png"), help="file to write (%(default)s)"
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run_sample)


def run_sample(args: argparse.Namespace) -> int:
    """Write one image, or a grid of images, and its recipe."""
    sampler = build_sampler(args)
    values = parse_labels(args.labels, args.model, sampler)
    seeds, rows, columns = choose_sheet(
        sampler, args.model, parse_seeds(args.seeds), values, args.across
    )
    recipe = Recipe(
        kind="sample" if len(seeds) == 1 else "grid",
        model=args.model,
        checkpoint=sampler.library.get_fingerprint(args.model),
        seeds=seeds,
        truncation=args.truncation,
        labels=rows,
        columns=columns or args.columns,
        size=args.size,
        resize=args.resize,
    )
    return write_recipe(args.output, recipe, sampler)
