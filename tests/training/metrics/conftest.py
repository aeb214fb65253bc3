"""Seeded random weights for the Inception network, since the real ones are a download."""

import math

import pytest
import torch


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
