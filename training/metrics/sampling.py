"""The samples that scores are computed from: numbered by seed, so the same in any batches."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.images import to_uint8
from training.labels import LabelLayout
from training.latents import sample_latents
from training.metrics.extractors import Extractor
from training.metrics.score import FeatureSource

MakeLabelled = Callable[[int, int], tuple[Tensor, Tensor]]
"""Makes images like MakeImages, and the label rows (count, L) that they were asked for."""
MakeImages = Callable[[int, int], Tensor]
"""Makes the images (count, C, H, W) uint8 of samples start to start + count - 1."""


def make_seeded_images(
    generator: nn.Module, device: torch.device | str, first_seed: int = 0
) -> MakeImages:
    """Return a function (start, count) -> images of seeds `first_seed + start` onwards, uint8.

    A generator with labels gets those that it draws by seed, spread as in its data.
    """
    make = make_labelled_images(generator, device, first_seed)
    return lambda start, count: make(start, count)[0]


def make_labelled_images(
    generator: nn.Module, device: torch.device | str, first_seed: int = 0
) -> MakeLabelled:
    """Return a function (start, count) -> images of seeds onwards, and the rows they were asked."""
    z_dim, layout = int(generator.z_dim), get_label_layout(generator)  # type: ignore[arg-type]

    def make(start: int, count: int) -> tuple[Tensor, Tensor]:
        seeds = range(first_seed + start, first_seed + start + count)
        latents, rows = sample_latents(seeds, z_dim).to(device), layout.draw(seeds).to(device)
        with torch.inference_mode():
            images = generator(latents, rows) if len(layout) else generator(latents)
            return to_uint8(images), rows

    return make


def get_label_layout(generator: nn.Module) -> LabelLayout:
    """Return the labels that a generator takes."""
    layout = generator.labels
    assert isinstance(layout, LabelLayout)
    return layout


def make_features(make_images: MakeImages, extractor: Extractor) -> FeatureSource:
    """Return a function (start, count) -> features (count, d) of the images made."""

    def get_features(start: int, count: int) -> NDArray[np.float32]:
        features: NDArray[np.float32] = extractor(make_images(start, count)).numpy()
        return features

    return get_features
