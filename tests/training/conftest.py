"""Small data sets and a small extractor, so that tests of scores take no network's time."""

import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from training.datasets import ImageDataset
from training.metrics.extractors import EXTRACTORS, Extractor, ExtractorSpec

TINY = "tiny"
TINY_DIM = 48


class TinyNetwork(nn.Module):
    """Average 4 x 4 blocks: of a 16 x 16 image that makes 3 * 4 * 4 = 48 features."""

    def forward(self, images):
        return nn.functional.adaptive_avg_pool2d(images.float() / 255, 4).flatten(1)


def load_tiny(weights, device):
    return Extractor(TINY, "FD-Tiny", TINY_DIM, TinyNetwork(), device)


@pytest.fixture
def tiny_extractor(monkeypatch):
    """Register an extractor of 48 block means, and return it loaded."""
    monkeypatch.setitem(EXTRACTORS, TINY, ExtractorSpec(TINY, "FD-Tiny", TINY_DIM, load_tiny))
    return load_tiny(None, torch.device("cpu"))


@pytest.fixture(scope="session")
def make_images():
    """Return a function that makes uint8 images (count, 3, 16, 16) of independent pixels."""

    def make(count, seed=0):
        generator = np.random.default_rng(seed)
        return generator.integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)

    return make


@pytest.fixture(scope="session")
def make_dataset(make_images):
    """Return a function that makes a data set of such images."""

    def make(count, seed=0):
        images = make_images(count, seed)
        fingerprint = hashlib.sha256(images.tobytes()).hexdigest()
        return ImageDataset("folder:noise", "Noise", "public domain", images, fingerprint)

    return make
