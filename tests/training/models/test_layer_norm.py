"""The critic's layer normalisation: PyTorch's values, and the type of its inputs."""

import pytest
import torch
from torch import nn

from training.models.blocks import LayerNorm2d


@pytest.fixture
def norm():
    norm = LayerNorm2d(3)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 0.5, -2.0]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, 3.0]))
    return norm


def test_it_is_layer_normalisation_with_a_scale_per_channel(norm):
    images = 5 + 3 * torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    plain = nn.functional.layer_norm(images, (3, 6, 6))
    expected = plain * norm.weight.view(1, 3, 1, 1) + norm.bias.view(1, 3, 1, 1)
    torch.testing.assert_close(norm(images), expected)


def test_under_autocast_it_keeps_the_type_and_sums_in_float32(norm):
    # In bfloat16 256 + 1 is 256: sums in that type would lose nearly all of these ones.
    images = torch.ones(1, 3, 64, 64)
    images[..., ::2] = 3.0
    with torch.autocast("cpu", torch.bfloat16):
        found = norm(images.bfloat16())
    assert found.dtype == torch.bfloat16
    expected = norm(images)
    torch.testing.assert_close(found.float(), expected, rtol=0.01, atol=0.01)
    with torch.autocast("cpu", torch.bfloat16):
        assert norm(images).dtype == torch.float32


def test_it_can_be_differentiated_twice(norm):
    images = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(norm.double(), images)
