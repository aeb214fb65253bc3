"""Generated and real images side by side in feature space, for TensorBoard's projector."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.datasets import ImageDataset
from training.metrics.extractors import Extractor
from training.metrics.sampling import MakeImages

BATCH_SIZE = 64
# TensorBoard shows sprites of up to this many pixels a side.
MAX_SPRITE_SIDE = 8192


@dataclass(frozen=True)
class Embedding:
    """Hold points of feature space with their kind and picture.

    ``features`` is float32 (2N, d), ``kinds`` says "generated" or "real", ``pictures`` is float32
    (2N, 3, h, w) in [0, 1], made smaller where all of them would not fit into one sprite.
    """

    features: NDArray[np.float32]
    kinds: list[str]
    pictures: Tensor


def build_embedding(
    make_images: MakeImages,
    dataset: ImageDataset,
    extractor: Extractor,
    num_samples: int,
    is_stopped: Callable[[], bool],
) -> Embedding | None:
    """Extract the features of seeds 0 to N - 1 and of N real images spread over the data set.

    N is at most the number of real images. Returns None if ``is_stopped`` turned true on the way.
    """
    count = min(num_samples, len(dataset))
    rows = np.linspace(0, len(dataset) - 1, count).round().astype(int)

    def get_real_images(start: int, size: int) -> Tensor:
        return torch.from_numpy(dataset.images[rows[start : start + size]])

    features, pictures = [], []
    for get_images in (make_images, get_real_images):
        for start in range(0, count, BATCH_SIZE):
            if is_stopped():
                return None
            images = get_images(start, min(BATCH_SIZE, count - start)).cpu()  # (B, C, H, W) uint8
            features.append(extractor(images).numpy())
            pictures.append(images)
    kinds = ["generated"] * count + ["real"] * count
    return Embedding(np.concatenate(features), kinds, _shrink(torch.cat(pictures)))


def _shrink(images: Tensor) -> Tensor:
    """Turn uint8 (N, 1 or 3, H, W) into float (N, 3, h, w) in [0, 1] that fit into one sprite."""
    side = min(images.shape[-1], MAX_SPRITE_SIDE // math.ceil(len(images) ** 0.5))
    small = [functional.adaptive_avg_pool2d(part.float() / 255, side) for part in images.split(256)]
    return torch.cat(small).expand(-1, 3, -1, -1)
