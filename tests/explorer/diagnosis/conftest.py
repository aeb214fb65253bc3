"""A data set of blocks with one label, its reference, and generators that draw from tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.datasets.types import ImageDataset, LabelColumn
from training.metrics.extractors import EXTRACTORS, Extractor, ExtractorSpec
from training.metrics.reference import ReferenceStatistics, compute_reference

SHAPES = ("cross", "disc", "ring", "star")
GRID = 4
DIM = 3 * GRID * GRID
NUM_TRAINING, NUM_HELD_OUT = 1600, 2400


class BlockMeans(nn.Module):
    """Average 4 x 4 blocks: 48 features, (B, 3, H, W) uint8 -> (B, 48)."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images.float(), GRID).flatten(1)


def load_blocks(weights: Path | None = None, device: torch.device | None = None) -> Extractor:
    """Load the extractor of block means."""
    return Extractor("blocks", "FD-Blocks", DIM, BlockMeans(), torch.device("cpu"))


BLOCKS = ExtractorSpec("blocks", "FD-Blocks", DIM, load_blocks)


def draw_images(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw images (N, 3, 8, 8) of random blocks, and their shapes: each lights blocks of its own.

    Eight directions vary most, as in features of real images, where a few dozen do.
    """
    generator = np.random.default_rng(seed)
    shapes = generator.integers(0, len(SHAPES), count)
    directions = np.random.default_rng(99).normal(size=(8, DIM)) / np.sqrt(DIM)
    blocks = 128 + 110 * generator.normal(size=(count, 8)) @ directions / np.sqrt(8)
    blocks += generator.normal(0, 4, (count, DIM))
    blocks[np.arange(count)[:, None], 12 * shapes[:, None] + np.arange(12)] += 25
    images = blocks.reshape(count, 3, GRID, GRID).repeat(2, axis=2).repeat(2, axis=3)
    return images.round().clip(0, 255).astype(np.uint8), shapes


@dataclass(frozen=True)
class World:
    """Hold a data set, its reference, and the features of held-out images with their shapes."""

    dataset: ImageDataset
    reference: ReferenceStatistics
    training: NDArray[np.float32]
    held_out: NDArray[np.float32]
    shapes: NDArray[np.int64]


@pytest.fixture(scope="session")
def world() -> World:
    """Return the data set of 1,600 blocks, 800 of whose features the reference keeps."""
    images, labels = draw_images(NUM_TRAINING, seed=0)
    dataset = ImageDataset(
        "folder:blocks",
        "Blocks",
        "public domain",
        images,
        "b10c",
        labels[:, None],
        (LabelColumn("shape", SHAPES),),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EXTRACTORS, "blocks", BLOCKS)
        reference = compute_reference(dataset, "blocks", progress=False)
    held_out, shapes = draw_images(NUM_HELD_OUT, seed=1)
    extract = load_blocks()
    return World(
        dataset,
        reference,
        extract(torch.from_numpy(images)).numpy(),
        extract(torch.from_numpy(held_out)).numpy(),
        shapes,
    )


@dataclass(frozen=True)
class Table:
    """Give features of a table's rows as those of samples."""

    features: NDArray[np.float32]
    base_seed: int = 0
    model: str = "table"
    fingerprint: str = ""
    extractor: Extractor = field(default_factory=load_blocks)

    def get(self, start: int, count: int) -> NDArray[np.float32]:
        """Return the features (count, d) of samples start to start + count - 1."""
        return self.features[start : start + count]

    def check_weights(self) -> None:
        """Find nothing: a table is no file."""


def draw_from(images: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Draw samples, each one of some images with a little noise."""
    generator = np.random.default_rng(seed)
    chosen = images[generator.integers(0, len(images), count)]
    noise = generator.normal(0, 0.3, chosen.shape)
    return np.asarray(chosen + noise, dtype=np.float32)


def choose(images: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Choose different images."""
    return images[np.random.default_rng(seed).permutation(len(images))[:count]]
