"""Random weights for the Inception network, since the real ones are a download, and commands."""

import math

import pytest
import torch
from PIL import Image

from training.__main__ import main
from training.checkpoint import CheckpointHeader, save_generator
from training.datasets import DatasetOptions, load_dataset
from training.metrics.reference import compute_reference, save_reference
from training.models import ModelConfig, build_generator


@pytest.fixture(scope="session")
def random_inception_weights(tmp_path_factory):
    """Write a state dict of the Inception network whose features differ between images.

    PyTorch's own initial weights shrink the signal from layer to layer; these keep its size.
    """
    pytest.importorskip("torch_fidelity")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Untrained(FeatureExtractorInceptionV3):
        def load_state_dict(self, state_dict):
            assert not state_dict

    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "empty.pth")
    with torch.random.fork_rng(devices=[]):
        state = Untrained("untrained", ["2048"], str(folder / "empty.pth")).state_dict()
    generator = torch.Generator().manual_seed(0)
    for name, tensor in state.items():
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim == 4:  # convolutions: He et al. 2015
            state[name] = noise * math.sqrt(2 / tensor[0].numel())
        elif name == "fc.weight":  # large, so that the classifier is surer of some images
            state[name] = noise * 0.3
        elif name.endswith("bn.bias"):
            state[name] = noise * 0.2
    path = folder / "weights.pth"
    torch.save(state, path)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch, make_images):
    """Work in a folder with a data set of 40 photos, and with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "Photos").mkdir()
    for index, image in enumerate(make_images(40)):
        enlarged = image.repeat(4, axis=1).repeat(4, axis=2)
        Image.fromarray(enlarged.transpose(1, 2, 0)).save(tmp_path / "Photos" / f"{index:02}.png")
    return tmp_path


@pytest.fixture
def photos(folder):
    """Load that data set."""
    return load_dataset("folder:Photos", DatasetOptions(), progress=False)


@pytest.fixture
def save_checkpoint(photos):
    """Return a function that writes a DCGAN of random weights and returns the generator."""

    def save(path, seed=0):
        config = ModelConfig("dcgan", z_dim=8, width=4)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator = build_generator(config).eval()
        save_generator(path, generator, CheckpointHeader(config, photos.describe()))
        return generator

    return save


@pytest.fixture
def make_reference(tiny_extractor):
    """Return a function that runs the command `reference` on the photos."""

    def make(*options):
        return main(["reference", "--data", "folder:Photos", "--extractor", "tiny", *options])

    return make


@pytest.fixture
def evaluate(tiny_extractor):
    """Return a function that runs the command `evaluate` with the tiny extractor."""

    def run(*options):
        return main(["evaluate", *options, "--extractor", "tiny", "--device", "cpu"])

    return run


@pytest.fixture
def models(save_checkpoint, make_reference, folder, capsys):
    """Write two checkpoints and their reference into the folders where they are found."""
    (folder / "checkpoints").mkdir()
    for seed, name in enumerate(("first", "second")):
        save_checkpoint(folder / "checkpoints" / f"{name}.safetensors", seed)
    make_reference()
    capsys.readouterr()
    return [f"checkpoints/{name}.safetensors" for name in ("first", "second")]


@pytest.fixture
def reference(tiny_extractor, make_dataset):
    return compute_reference(make_dataset(200), "tiny", progress=False)


@pytest.fixture
def written(reference, tmp_path):
    path = tmp_path / "noise-16-tiny.safetensors"
    save_reference(path, reference)
    return path
