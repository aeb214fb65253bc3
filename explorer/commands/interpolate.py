"""The command `interpolate`: a morph between two seeds."""

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
from explorer.labels import Rows, choose_rows, sweep_rows
from explorer.latents import INTERPOLATIONS, MAX_SEED
from explorer.paths import MAX_FRAMES, MIN_FRAMES
from explorer.recipe import MAX_FPS, Recipe
from explorer.sampler import Sampler
from training.errors import ConfigError


def add_interpolate_parser(subparsers: Subparsers) -> None:
    """Add `interpolate`, which writes the way from one seed's image to another's."""
    parser = subparsers.add_parser(
        "interpolate",
        help="write a morph between two seeds",
        description="Write the way from one seed's image to another's as a GIF that loops.",
    )
    parser.add_argument("model", metavar="MODEL", help="name of a checkpoint, without the suffix")
    for flag, name, default in (("--from", "first_seed", 1), ("--to", "last_seed", 2)):
        parser.add_argument(
            flag, dest=name, type=int, default=default, help=f"seed, 0 to {MAX_SEED} (%(default)s)"
        )
    parser.add_argument(
        "--frames",
        type=int,
        default=60,
        help=f"frames from first to last, {MIN_FRAMES} to {MAX_FRAMES} (%(default)s)",
    )
    parser.add_argument(
        "--fps",
        type=float,
        default=30.0,
        help=f"frames per second, 1 to {MAX_FPS}, rounded to what a GIF can do (%(default)s)",
    )
    parser.add_argument(
        "--method", choices=INTERPOLATIONS, default="slerp", help="path taken (%(default)s)"
    )
    parser.add_argument("--ping-pong", action="store_true", help="go back again, for a smooth loop")
    add_image_arguments(parser, default_size=256)
    parser.add_argument(
        "--to-labels",
        default=None,
        metavar="NAME=VALUE,...",
        help="labels at the end, which the way from --labels leads to; those not named stay",
    )
    parser.add_argument(
        "--sweep",
        default=None,
        metavar="NAME",
        help="hold the first seed and go through all values of a label instead",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("morph.gif"), help="file to write (%(default)s)"
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run_interpolate)


def run_interpolate(args: argparse.Namespace) -> int:
    """Write an animation from one seed's image to another's, and its recipe."""
    sampler = build_sampler(args)
    seeds, rows = choose_stops(args, sampler)
    recipe = Recipe(
        kind="interpolation",
        model=args.model,
        checkpoint=sampler.library.get_fingerprint(args.model),
        seeds=seeds,
        truncation=args.truncation,
        labels=rows,
        method=args.method,
        num_frames=args.frames,
        fps=args.fps,
        is_ping_pong=args.ping_pong,
        size=args.size,
        resize=args.resize,
    )
    return write_recipe(args.output, recipe, sampler)


def choose_stops(args: argparse.Namespace, sampler: Sampler) -> tuple[tuple[int, ...], Rows]:
    """Return the seeds and label rows that the way goes through: both ends, or a whole sweep."""
    values = parse_labels(args.labels, args.model, sampler)
    if args.sweep is not None:
        if args.to_labels is not None:
            raise ConfigError("--sweep goes through all values: leave --to-labels out.")
        rows = sweep_rows(sampler, args.model, args.first_seed, args.sweep, values)
        return (args.first_seed,) * len(rows), rows
    changes = parse_labels(args.to_labels or "", args.model, sampler)
    # Both rows are the first seed's, so that a label that is drawn is the same along the way.
    seeds = [args.first_seed]
    first = choose_rows(sampler, args.model, seeds, values)
    last = choose_rows(sampler, args.model, seeds, {**values, **changes})
    return (args.first_seed, args.last_seed), first + last
