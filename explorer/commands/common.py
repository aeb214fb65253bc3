"""What several commands share: their options, the sampler, and writing what a recipe describes."""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from explorer.formats import get_format
from explorer.images import save_png
from explorer.labels import parse_values
from explorer.library import CheckpointLibrary
from explorer.recipe import MAX_SIZE, MIN_SIZE, RESIZE_METHODS, Recipe
from explorer.replay import RecipeImages, arrange_images, count_images, get_edge, write_morph
from explorer.sampler import Sampler
from training.devices import select_device
from training.errors import ConfigError
from training.files import check_output, explain_write_errors
from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS

Subparsers = argparse._SubParsersAction


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where the checkpoints are and which device to compute on."""
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


def add_image_arguments(parser: argparse.ArgumentParser, default_size: int) -> None:
    """Add the options of images: truncation, label, size and how to reach it."""
    parser.add_argument(
        "--truncation",
        type=float,
        default=1.0,
        help="makes z shorter, from 1 (as drawn) to 0 (one image for all seeds): images become "
        "more alike, and fade below about 0.7 (%(default)s)",
    )
    parser.add_argument(
        "--labels",
        default="",
        metavar="NAME=VALUE,...",
        help="for models with labels, such as age=30,gender=female; others are drawn by seed",
    )
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


def add_scoring_arguments(parser: argparse.ArgumentParser, reference_help: str) -> None:
    """Add what commands that measure samples ask: first seed, extractor, reference."""
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first sample; the rest count up (0)"
    )
    parser.add_argument(
        "--extractor",
        choices=EXTRACTORS,
        default=DEFAULT_EXTRACTOR,
        help="feature network; only inception gives FID (%(default)s)",
    )
    parser.add_argument("--reference", type=Path, metavar="FILE", help=reference_help)


def build_sampler(args: argparse.Namespace) -> Sampler:
    """Build the sampler of the chosen folder on the chosen device."""
    return Sampler(CheckpointLibrary(args.checkpoints), select_device(args.device))


def parse_labels(text: str, model: str, sampler: Sampler) -> dict[str, float]:
    """Read the values of --labels for a model; raises ConfigError."""
    return parse_values(text, sampler.get_header(model).model.labels)


def write_recipe(path: Path, recipe: Recipe, sampler: Sampler) -> int:
    """Make a recipe's images with a progress bar and write them, a morph by its path's suffix."""
    is_morph = recipe.kind == "interpolation"
    if is_morph:
        edge = get_edge(recipe, sampler)
        get_format(path).check_size(edge, edge)
    elif path.suffix.lower() != ".png":
        raise ConfigError(
            f"{path} cannot hold an image of this program: name one that ends in .png."
        )
    check_output(path)
    images = RecipeImages(recipe, sampler)
    with explain_write_errors(path):
        text = (write_frames if is_morph else write_image)(path, images)
    print(f"Written: {path}, {text}")
    return 0


def write_frames(path: Path, images: RecipeImages) -> str:
    """Write a morph with a progress bar, and say how many frames it has and how fast they come."""
    is_compared = images.recipe.pace == "steady"
    with tqdm(unit="image", leave=False, desc="Comparing images", disable=not is_compared) as bar:
        for num_compared, bar.total in images.place():
            bar.update(num_compared - bar.n)
    total = count_images(images.recipe)
    with tqdm(total=total, unit="image", leave=False) as bar:
        for num_done in write_morph(path, images):
            bar.update(num_done - bar.n)
    return get_format(path).describe(total, images.recipe.fps)


def write_image(path: Path, images: RecipeImages) -> str:
    """Write a sample, sheet or still with a progress bar, and say how large it is."""
    chunks = []
    with tqdm(total=count_images(images.recipe), unit="image", leave=False) as bar:
        for chunk in images.iter_chunks():
            chunks.append(chunk)
            bar.update(len(chunk))
    image = arrange_images(images.recipe, np.concatenate(chunks))[0]
    save_png(path, image, images.recipe)
    return f"{image.shape[1]} x {image.shape[0]} pixels"
