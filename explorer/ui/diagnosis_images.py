"""The pictures of a diagnosis: the page asks for those it is about to show, and keeps them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

from explorer.diagnosis.on_disk import find_dataset_on_disk
from explorer.formats.base import to_pillow
from explorer.latents import MAX_SEED, sample_latents
from explorer.ui.context import AppContext
from explorer.ui.diagnosing import explain_absence
from explorer.ui.encoding import SPRITE_COLUMNS, encode_png, encode_sprite
from explorer.ui.errors import answer_project_errors
from explorer.weights import DIAGNOSE_AGAIN, hold_weights
from training.errors import ConfigError, DatasetError

MAX_IMAGES = 64
THUMBNAIL_SIZE = 48  # pixels
MAX_STEP = 100.0

Answer = dict[str, Any]


def build_image_functions(context: AppContext) -> list[Callable[[Answer], Answer]]:
    """Build fetch_images (lossless) and fetch_thumbnails (one small sprite) for the page."""

    @answer_project_errors
    def fetch_images(request: Answer) -> Answer:
        return {"frames": [encode_png(image) for image in render_images(context, request)]}

    @answer_project_errors
    def fetch_thumbnails(request: Answer) -> Answer:
        images = shrink_images(render_images(context, request), THUMBNAIL_SIZE)
        return {
            "sprite": encode_sprite(images),
            "size": list(images.shape[1:3]),
            "columns": SPRITE_COLUMNS,
        }

    return [fetch_images, fetch_thumbnails]


def render_images(context: AppContext, request: Any) -> np.ndarray:
    """Make the images of a request, uint8 (N, H, W, C); raises ConfigError for an odd one.

    ``{"seeds"}`` asks for samples, ``{"indices"}`` for images of the data set that the model
    learned and a diagnosis has shown, ``{"base_seed", "direction_seed", "steps"}`` for steps in z,
    each with ``"model"`` and the ``"checkpoint"`` that was diagnosed: raises CheckpointError if it
    has been replaced since.
    """
    if not isinstance(request, dict) or not isinstance(request.get("model"), str):
        raise ConfigError("The page asked for images without a model: reload it.")
    name = request["model"]
    checkpoint = request.get("checkpoint")
    with (
        context.take_frame_slot(),
        hold_weights(context.library, name, checkpoint, DIAGNOSE_AGAIN),
    ):
        if "seeds" in request:
            seeds = check_numbers(request["seeds"], MAX_SEED)
            return context.sampler.sample_seeds(name, seeds)
        if "indices" in request:
            return read_real_images(context, name, request["indices"])
        return walk_direction(context, name, request)


def read_real_images(context: AppContext, name: str, indices: Any) -> np.ndarray:
    """Read images of the data set that a model learned, those that a diagnosis has shown.

    Raises DatasetError if they are not here or are not sent, ConfigError for any other image.
    """
    dataset = find_dataset_on_disk(context.sampler.get_header(name).dataset)
    absence = explain_absence(context, dataset)
    if dataset is None or absence:
        raise DatasetError(f"{name}: {absence}")
    chosen = check_numbers(indices, len(dataset) - 1)
    context.shown_images.check(context.library.get_fingerprint(name), chosen)
    return dataset.images[chosen].transpose(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)


def walk_direction(context: AppContext, name: str, request: Answer) -> np.ndarray:
    """Make the images of z = latent(base seed) + step * unit direction, for several steps."""
    seeds = [request.get("base_seed"), request.get("direction_seed")]
    base, direction = check_numbers(seeds, MAX_SEED)
    steps = check_steps(request.get("steps"))
    start = context.sampler.make_latents(name, [base])  # (1, z_dim)
    way = sample_latents([direction], start.shape[1])
    latents = start + torch.tensor(steps, dtype=start.dtype)[:, None] * way / way.norm()
    labels = context.sampler.make_label_vectors(name, [base] * len(steps))
    return context.sampler.sample_images(name, latents, labels)


def check_numbers(values: Any, largest: int) -> list[int]:
    """Return whole numbers from 0 to ``largest``, at most 64; raises ConfigError."""
    is_list = isinstance(values, list) and 1 <= len(values) <= MAX_IMAGES
    if not is_list or not all(type(v) is int and 0 <= v <= largest for v in values):
        raise ConfigError(
            f"The page asked for images {str(values)[:80]}: expected 1 to {MAX_IMAGES} whole "
            f"numbers from 0 to {largest}."
        )
    return list(values)


def check_steps(values: Any) -> list[float]:
    """Return step lengths within 100, at most 64; raises ConfigError."""
    is_list = isinstance(values, list) and 1 <= len(values) <= MAX_IMAGES
    if not is_list or not all(
        type(v) in (int, float) and -MAX_STEP <= v <= MAX_STEP for v in values
    ):
        raise ConfigError(
            f"The page asked for steps {str(values)[:80]}: expected 1 to {MAX_IMAGES} numbers "
            f"from {-MAX_STEP:g} to {MAX_STEP:g}."
        )
    return [float(value) for value in values]


def shrink_images(images: np.ndarray, size: int) -> np.ndarray:
    """Shrink images, uint8 (N, H, W, C), to squares of at most ``size`` pixels."""
    if max(images.shape[1:3]) <= size:
        return images
    small = [
        np.asarray(to_pillow(image).resize((size, size), Image.Resampling.BOX)) for image in images
    ]
    return np.stack(small).reshape(len(images), size, size, images.shape[3])
