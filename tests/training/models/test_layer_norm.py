"""The critic's layer normalisation: PyTorch's values, and the type of its inputs."""

import pytest
import torch
from torch import nn

from training.models import layer_norm
from training.models.layer_norm import LayerNorm2d


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


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_rows_of_a_gpu_are_the_same(norm, memory_format):
    norm.double()
    images = 5 + 3 * torch.randn(2, 3, 2, 4, dtype=torch.float64)
    images = images.to(memory_format=memory_format).requires_grad_()

    def normalize(x, scale, shift):
        return layer_norm.normalize_rows(x, scale, shift, norm.eps)

    inputs = (images, norm.weight, norm.bias)
    torch.testing.assert_close(normalize(*inputs), norm(images))
    assert normalize(*inputs).is_contiguous(memory_format=torch.channels_last)
    assert torch.autograd.gradcheck(normalize, inputs)
    assert torch.autograd.gradgradcheck(normalize, inputs)


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


@pytest.fixture(params=[1, 24, 2**19])
def block_size(request, monkeypatch):
    """Work on a sample at a time, on two (the last alone), or on all at once."""
    monkeypatch.setattr(layer_norm, "BLOCK_SIZE", request.param)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_can_be_differentiated_twice(norm, block_size, memory_format):
    images = torch.randn(3, 3, 2, 2, dtype=torch.float64).to(memory_format=memory_format)
    parameters = [p.detach().requires_grad_() for p in norm.double().parameters()]

    def normalize(x, scale, shift):
        return torch.func.functional_call(norm, {"weight": scale, "bias": shift}, (x,))

    inputs = (images.requires_grad_(), *parameters)
    assert torch.autograd.gradcheck(normalize, inputs)
    assert torch.autograd.gradgradcheck(normalize, inputs)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)], ids=str
)
def test_a_penalty_on_the_slope_is_pytorch_s(norm, dtype, tolerance):
    plain = nn.GroupNorm(1, 3).double()
    plain.load_state_dict(norm.state_dict())
    images = 5 + 3 * torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    images = images.to(dtype)  # what the reference has to work with, too
    results = []
    for layer, x in ((norm, images.clone()), (plain, images.double())):
        x.requires_grad_()
        outputs = nn.functional.leaky_relu(layer(x), 0.2).square()
        (slope,) = torch.autograd.grad(outputs.sum(), x, create_graph=True)
        loss = slope.double().square().sum()
        results.append(torch.autograd.grad(loss, (x, layer.weight, layer.bias)))
    for found, expected in zip(*results, strict=True):
        assert (found.double() - expected).norm() < tolerance * expected.norm()
