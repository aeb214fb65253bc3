"""Small, untrained checkpoints and what reads them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from explorer.library import CheckpointLibrary
from explorer.sampler import Sampler
from training.checkpoint import CheckpointHeader, save_generator
from training.models import ModelConfig, build_generator

SaveModel = Callable[..., Path]

MODEL_OPTIONS = {
    "conv": ModelConfig("dcgan", z_dim=8, width=4, img_resolution=32),
    "linear": ModelConfig("sgan", z_dim=12, width=8, img_resolution=32),
    "grey": ModelConfig("dcgan", z_dim=8, width=4, img_resolution=32, img_channels=1),
}
DATASET = {"name": "avatars:toon-head", "resolution": 32, "fingerprint": "f00d"}


@pytest.fixture(scope="session")
def save_model() -> SaveModel:
    """Return a function that writes one of MODEL_OPTIONS with the weights of a seed."""

    def save(folder: Path, name: str, options: str | None = None, seed: int = 0) -> Path:
        config = MODEL_OPTIONS[options or name]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator = build_generator(config).train()
            with torch.no_grad():
                for weights in generator.parameters():
                    if weights.ndim > 1:
                        weights.mul_(50)  # fresh ones make grey pictures
                for _ in range(4):  # statistics of real activations
                    generator(torch.randn(4, config.z_dim))
        path = folder / f"{name}.safetensors"
        save_generator(path, generator.eval(), CheckpointHeader(config, dataset=DATASET))
        return path

    return save


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, save_model: SaveModel) -> Path:
    """Return a folder with the checkpoints conv, grey and linear, to be copied."""
    checkpoints = tmp_path_factory.mktemp("template")
    for name in MODEL_OPTIONS:
        save_model(checkpoints, name)
    return checkpoints


@pytest.fixture
def folder(tmp_path: Path, template: Path) -> Path:
    """Return a folder of the test's own with the checkpoints conv, grey and linear."""
    return Path(shutil.copytree(template, tmp_path / "checkpoints"))


@pytest.fixture
def library(folder: Path) -> CheckpointLibrary:
    """Return the library of that folder."""
    return CheckpointLibrary(folder)


@pytest.fixture
def sampler(library: CheckpointLibrary) -> Sampler:
    """Return a sampler of that library on the CPU."""
    return Sampler(library)
