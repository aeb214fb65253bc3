"""The command `interpolate`: a morph between two seeds, through others if wished."""

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
from explorer.formats import FORMATS
from explorer.labels import choose_stops
from explorer.latents import MAX_SEED, parse_through
from explorer.paces import PACES
from explorer.paths import CURVES, MAX_FRAMES, MIN_FRAMES, check_num_frames, fit_frames
from explorer.recipe import DEFAULT_HOLD, MAX_FPS, MAX_HOLD, Recipe, is_closed_way


def add_interpolate_parser(subparsers: Subparsers) -> None:
    """Add `interpolate`, which writes the way from one seed's image to another's, or to more."""
    parser = subparsers.add_parser(
        "interpolate",
        help="write a morph between two seeds, through others if wished",
        description="Write the way from one seed's image to another's as an animation that loops.",
    )
    parser.add_argument("model", metavar="MODEL", help="name of a checkpoint, without the suffix")
    add_way_arguments(parser)
    add_timing_arguments(parser)
    add_image_arguments(parser, default_size=256)
    parser.add_argument(
        "--to-labels",
        default="",
        metavar="NAME=VALUE,...",
        help="labels at the last seed, which the way there leads to; those not named stay",
    )
    parser.add_argument(
        "--sweep",
        default="",
        metavar="NAME",
        help="hold the first seed and go through all values of a label, of a number through "
        "the middle nine tenths of the data",
    )
    parser.add_argument(
        "--at",
        type=float,
        metavar="T",
        help="write only the image at T, from 0 (first seed) to 1 (last), as a PNG; frames, rate, "
        "hold, pace and the way back have no effect then",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="file to write (morph.gif, or morph.png with --at), whose ending chooses the format: "
        + ", ".join(f"{suffix} ({made.about})" for suffix, made in FORMATS.items()),
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run_interpolate)


def add_way_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which seeds are passed, and on which path."""
    for flag, name, default in (("--from", "first_seed", 1), ("--to", "last_seed", 2)):
        parser.add_argument(
            flag, dest=name, type=int, default=default, help=f"seed, 0 to {MAX_SEED} (%(default)s)"
        )
    parser.add_argument(
        "--through",
        default="",
        metavar="SEEDS",
        help="seeds to pass on the way, such as 5,9-12; the first seed as --to closes a loop, "
        "in which it is shown once",
    )
    parser.add_argument(
        "--method",
        choices=CURVES,
        default="slerp",
        help="path taken from seed to seed: great circle, straight line, or one without corners "
        "at the seeds between (%(default)s)",
    )


def add_timing_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how many frames there are, and how fast the way is gone."""
    parser.add_argument(
        "--frames",
        type=int,
        default=60,
        help=f"frames from first to last, {MIN_FRAMES} to {MAX_FRAMES} (%(default)s); about as "
        "many through other seeds or in a sweep, so that each has its frame",
    )
    parser.add_argument(
        "--fps",
        type=float,
        default=30.0,
        help=f"frames per second, 1 to {MAX_FPS}, rounded to what the format can do (%(default)s)",
    )
    parser.add_argument(
        "--hold",
        type=float,
        default=DEFAULT_HOLD,
        metavar="SECONDS",
        help="how long each seed's image, and each value of a sweep, is shown, 0 (no longer than "
        f"any frame) to {MAX_HOLD:g} (%(default)s)",
    )
    parser.add_argument(
        "--pace",
        choices=PACES,
        default="even",
        help="how fast the way is gone: "
        + ", ".join(f"{pace} ({about})" for pace, about in PACES.items())
        + "; %(default)s if not given",
    )
    parser.add_argument("--ping-pong", action="store_true", help="go back again, for a smooth loop")


def run_interpolate(args: argparse.Namespace) -> int:
    """Write an animation from seed to seed, and its recipe."""
    sampler = build_sampler(args)
    check_num_frames(args.frames)
    values, changes = (
        parse_labels(text, args.model, sampler) for text in (args.labels, args.to_labels)
    )
    way = (args.first_seed, *parse_through(args.through), args.last_seed)
    seeds, rows = choose_stops(sampler, args.model, way, values, changes, args.sweep)
    recipe = Recipe(
        kind="interpolation" if args.at is None else "frame",
        model=args.model,
        checkpoint=sampler.library.get_fingerprint(args.model),
        seeds=seeds,
        truncation=args.truncation,
        labels=rows,
        method=args.method,
        num_frames=fit_frames(args.frames, len(seeds)),
        fps=args.fps,
        is_ping_pong=args.ping_pong,
        is_closed=is_closed_way(seeds, rows),
        hold=args.hold,
        pace=args.pace,
        t=args.at or 0.0,
        size=args.size,
        resize=args.resize,
    )
    default = Path("morph.gif" if args.at is None else "morph.png")
    return write_recipe(args.output or default, recipe, sampler)
