"""The command line of the explorer, for use without a browser: ``python -m explorer COMMAND``."""

import argparse
import errno
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from explorer import __version__
from explorer.animation import save_gif
from explorer.comparison import MAX_SAMPLES, MIN_SAMPLES, stream_comparison
from explorer.feature_bank import FeatureBank
from explorer.images import save_png
from explorer.latents import INTERPOLATIONS, MAX_SEED, parse_seeds
from explorer.library import CheckpointLibrary
from explorer.paths import MAX_FRAMES, MIN_FRAMES
from explorer.recipe import MAX_FPS, MAX_SIZE, MIN_SIZE, RESIZE_METHODS, Recipe, read_recipe
from explorer.replay import arrange_images, count_images, iter_images, locate_model
from explorer.sampler import Sampler
from training.devices import select_device
from training.errors import ConfigError, ProjectError
from training.metrics.cli import format_scores
from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS
from training.metrics.reference import load_reference

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
# Failures of the place to write to; any other OSError is a bug and keeps its traceback.
OUTPUT_ERRORS = (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR)
EXAMPLES = """examples:
  python -m explorer sample dcgan-avatars --seeds 0-63 --output grid.png
  python -m explorer interpolate dcgan-avatars --from 1 --to 2 --ping-pong --output morph.gif
  python -m explorer compare dcgan-avatars wgan_gp-avatars --num-samples 5000
  python -m explorer replay morph.gif --output again.gif
"""

Subparsers = argparse._SubParsersAction


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m explorer",
        description="Sample, morph and compare trained generators.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_sample_parser(subparsers)
    _add_interpolate_parser(subparsers)
    _add_compare_parser(subparsers)
    _add_replay_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; expected failures become one sentence on stderr and status 2."""
    args = build_parser().parse_args(arguments)
    try:
        status: int = args.run(args)
    except ProjectError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.errno not in OUTPUT_ERRORS:
            raise
        print(f"error: Cannot write there: {error}. Choose another --output.", file=sys.stderr)
        return EXIT_ERROR
    return status


def run_sample(args: argparse.Namespace) -> int:
    """Write one image, or a grid of images, and its recipe."""
    sampler = _build_sampler(args)
    seeds = tuple(parse_seeds(args.seeds))
    recipe = Recipe(
        kind="sample" if len(seeds) == 1 else "grid",
        model=args.model,
        checkpoint=sampler.library.get_fingerprint(args.model),
        seeds=seeds,
        truncation=args.truncation,
        labels=() if args.label is None else (args.label,) * len(seeds),
        columns=args.columns,
        size=args.size,
        resize=args.resize,
    )
    return _write(args.output, recipe, sampler)


def run_interpolate(args: argparse.Namespace) -> int:
    """Write an animation from one seed's image to another's, and its recipe."""
    sampler = _build_sampler(args)
    recipe = Recipe(
        kind="interpolation",
        model=args.model,
        checkpoint=sampler.library.get_fingerprint(args.model),
        seeds=(args.first_seed, args.last_seed),
        truncation=args.truncation,
        labels=() if args.label is None else (args.label,) * 2,
        method=args.method,
        num_frames=args.frames,
        fps=args.fps,
        is_ping_pong=args.ping_pong,
        size=args.size,
        resize=args.resize,
    )
    return _write(args.output, recipe, sampler)


def run_replay(args: argparse.Namespace) -> int:
    """Write the image or animation that a file's recipe describes again."""
    sampler = _build_sampler(args)
    recipe = locate_model(read_recipe(args.file), sampler.library)
    return _write(args.output or args.file.with_stem(f"{args.file.stem}-replay"), recipe, sampler)


def run_compare(args: argparse.Namespace) -> int:
    """Print the scores of models, best first, and the scores so far on stderr."""
    sampler = _build_sampler(args)
    reference = load_reference(args.reference) if args.reference else None
    updates = stream_comparison(
        FeatureBank(sampler), args.models, args.extractor, args.num_samples, args.seed, reference
    )
    scores = []
    for update in updates:
        score = update.score
        print(
            f"{update.model}: {score.score_name} {score.value:.2f} after {score.num_samples:,} "
            f"of {args.num_samples:,} samples, {update.seconds:.0f} s",
            file=sys.stderr,
        )
        if update.is_last:
            scores.append((update.model, score))
    print(format_scores(sorted(scores, key=lambda row: row[1].value)))
    return 0


def _write(path: Path, recipe: Recipe, sampler: Sampler) -> int:
    """Make a recipe's images with a progress bar and write them as a PNG or GIF."""
    suffix = ".gif" if recipe.kind == "interpolation" else ".png"
    if path.suffix.lower() != suffix:
        raise ConfigError(f"{path} cannot hold this: name an --output that ends in {suffix}.")
    chunks = []
    coming = iter_images(recipe, sampler)
    with tqdm(total=count_images(recipe), unit="image", leave=False) as bar:
        for chunk in coming:
            chunks.append(chunk)
            bar.update(len(chunk))
    images = arrange_images(recipe, np.concatenate(chunks))
    if recipe.kind == "interpolation":
        fps = save_gif(path, images, recipe.fps, recipe=recipe)
        print(f"Written: {path}, {len(images)} frames at {fps:.4g} frames per second")
    else:
        save_png(path, images[0], recipe)
        print(f"Written: {path}, {images.shape[2]} x {images.shape[1]} pixels")
    return 0


def _build_sampler(args: argparse.Namespace) -> Sampler:
    return Sampler(CheckpointLibrary(args.checkpoints), select_device(args.device))


def _add_sample_parser(subparsers: Subparsers) -> None:
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
    _add_image_arguments(parser, default_size=0)
    parser.add_argument(
        "--output", type=Path, default=Path("grid.png"), help="file to write (%(default)s)"
    )
    _add_common_arguments(parser)
    parser.set_defaults(run=run_sample)


def _add_interpolate_parser(subparsers: Subparsers) -> None:
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
    _add_image_arguments(parser, default_size=256)
    parser.add_argument(
        "--output", type=Path, default=Path("morph.gif"), help="file to write (%(default)s)"
    )
    _add_common_arguments(parser)
    parser.set_defaults(run=run_interpolate)


def _add_compare_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "compare",
        help="score models side by side",
        description="Score the samples of models against the images they learned; lower is better.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="names of checkpoints")
    parser.add_argument(
        "--num-samples",
        type=int,
        default=2048,
        help=f"samples per model, {MIN_SAMPLES} to {MAX_SAMPLES} (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first sample; the rest count up (0)"
    )
    parser.add_argument(
        "--extractor",
        choices=EXTRACTORS,
        default=DEFAULT_EXTRACTOR,
        help="feature network; only inception gives FID (%(default)s)",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="FILE",
        help="statistics to compare all models with (those of the images each learned)",
    )
    _add_common_arguments(parser)
    parser.set_defaults(run=run_compare)


def _add_replay_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "replay",
        help="make an image or animation again from the recipe inside it",
        description="Read the recipe in a PNG or GIF of this program and make its images again.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="PNG or GIF with a recipe")
    parser.add_argument("--output", type=Path, help="file to write (FILE-replay beside it)")
    _add_common_arguments(parser)
    parser.set_defaults(run=run_replay)


def _add_image_arguments(parser: argparse.ArgumentParser, default_size: int) -> None:
    parser.add_argument(
        "--truncation",
        type=float,
        default=1.0,
        help="0 (the average image) to 1 (full variety) (%(default)s)",
    )
    parser.add_argument("--label", type=int, help="class, for models with labels only")
    parser.add_argument(
        "--size",
        type=int,
        default=default_size,
        help=f"edge of an image, {MIN_SIZE} to {MAX_SIZE} pixels, 0 as made (%(default)s)",
    )
    parser.add_argument(
        "--resize",
        choices=RESIZE_METHODS,
        default=RESIZE_METHODS[0],
        help="how to reach that size: smoothly or showing the pixels (%(default)s)",
    )


def _add_common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoints",
        type=Path,
        default=Path("checkpoints"),
        metavar="DIR",
        help="folder with the checkpoints (%(default)s)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cuda, mps or cpu (%(default)s)", metavar="DEVICE"
    )


if __name__ == "__main__":
    sys.exit(main())
