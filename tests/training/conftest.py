"""Small data sets, trainers and a small extractor, so that tests take no network's time."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from training.config import TrainConfig
from training.datasets import DatasetOptions, ImageDataset
from training.metrics.extractors import EXTRACTORS, Extractor, ExtractorSpec
from training.runs import RunFolder, RunOptions
from training.trainer import Trainer

# Words of a command that trains a small network, of which a CPU makes the same bits each time.
SMALL = [
    *("--resolution", "32", "--width", "4", "--batch-size", "4", "--score-every", "0"),
    *("--device", "cpu"),
]
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


@pytest.fixture(scope="session")
def dataset():
    """48 images of 32 x 32 in which every image has one colour."""
    colours = np.random.default_rng(0).integers(0, 256, (48, 3, 1, 1), dtype=np.uint8)
    images = np.ascontiguousarray(np.broadcast_to(colours, (48, 3, 32, 32)))
    return ImageDataset("folder:colours", "Colours", "CC0", images, "c0")


@pytest.fixture
def build_trainer(tmp_path, dataset):
    """Return a function that builds a small trainer in a folder of the test's own."""

    def build(name="tiny", model="dcgan", data=dataset, runner=None, run_id="", **options):
        small = {"width": 4, "z_dim": 8, "batch_size": 8, "score_every": 0, "precision": "fp32"}
        small |= {"log_every": 2, "save_every": 100, "grid_every": 0, "steps": 6}
        config = TrainConfig(model, "folder:colours", name, **{**small, **options})
        folder = RunFolder(tmp_path / "runs" / name)
        images = DatasetOptions(cache_dir=tmp_path / "cache")
        run = RunOptions(config, images, tmp_path / "checkpoints", "the command", run_id)
        return Trainer(run, data, folder, torch.device("cpu"), runner=runner)

    return build


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Return a folder with 12 pictures of 40 x 40."""
    folder = tmp_path_factory.mktemp("data") / "pictures"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(12):
        pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Go to an empty folder with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path
