"""The samples that scores are computed from: numbered by seed, so the same in any batches."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.images import to_uint8
from training.latents import sample_latents
from training.metrics.extractors import Extractor
from training.metrics.score import FeatureSource

MakeImages = Callable[[int, int], Tensor]
"""Makes the images (count, C, H, W) uint8 of samples start to start + count - 1."""


def make_seeded_images(
    generator: nn.Module, device: torch.device | str, first_seed: int = 0
) -> MakeImages:
    """Return a function (start, count) -> images of seeds `first_seed + start` onwards, uint8.

    A generator with classes gets them in turn by seed, so that every class has its share.
    """
    z_dim, num_classes = int(generator.z_dim), int(generator.num_classes)  # type: ignore[arg-type]

    def make_images(start: int, count: int) -> Tensor:
        seeds = range(first_seed + start, first_seed + start + count)
        latents = sample_latents(seeds, z_dim).to(device)
        with torch.inference_mode():
            if not num_classes:
                return to_uint8(generator(latents))
            labels = torch.tensor([seed % num_classes for seed in seeds], device=device)
            return to_uint8(generator(latents, labels))

    return make_images


def make_features(make_images: MakeImages, extractor: Extractor) -> FeatureSource:
    """Return a function (start, count) -> features (count, d) of the images made."""

    def get_features(start: int, count: int) -> NDArray[np.float32]:
        features: NDArray[np.float32] = extractor(make_images(start, count)).numpy()
        return features

    return get_features
