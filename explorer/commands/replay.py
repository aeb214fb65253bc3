"""The command `replay`: a picture again, from its recipe."""

import argparse
from pathlib import Path

from explorer.commands.common import (
    Subparsers,
    add_common_arguments,
    build_sampler,
    write_recipe,
)
from explorer.recipe import read_recipe
from explorer.replay import locate_model


def add_replay_parser(subparsers: Subparsers) -> None:
    """Add `replay`, which makes what a file's recipe describes."""
    parser = subparsers.add_parser(
        "replay",
        help="make an image or animation again from the recipe inside it",
        description="Read the recipe in an image or animation of this program and make it again.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="image or animation with a recipe")
    parser.add_argument(
        "--output",
        type=Path,
        help="file to write, of an animation in any of its formats (FILE-replay beside it)",
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run_replay)


def run_replay(args: argparse.Namespace) -> int:
    """Write the image or animation that a file's recipe describes again."""
    sampler = build_sampler(args)
    recipe = locate_model(read_recipe(args.file), sampler.library)
    return write_recipe(
        args.output or args.file.with_stem(f"{args.file.stem}-replay"), recipe, sampler
    )
