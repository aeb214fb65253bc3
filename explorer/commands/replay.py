"""The command `replay`: a picture again, from its recipe."""

import argparse
from pathlib import Path

from explorer.commands.common import (
    Subparsers,
    add_common_arguments,
    build_sampler,
    write_recipe,
)
from explorer.formats import recognise_format
from explorer.recipe import Recipe, read_recipe
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
    return write_recipe(args.output or name_replay(args.file, recipe), recipe, sampler)


def name_replay(file: Path, recipe: Recipe) -> Path:
    """Name a file beside one, with the ending that it should have whatever it was renamed to."""
    found = recognise_format(file)
    suffix = found.suffix if found and recipe.kind == "interpolation" else ".png"
    return file.with_name(f"{file.stem}-replay{suffix}")
