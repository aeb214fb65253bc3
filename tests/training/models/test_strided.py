"""Halving and doubling convolutions: the same as PyTorch's, with a shorter way back twice."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from training.models import strided
from training.models.strided import MAX_DILATED_SIDE, StridedConv2d, StridedConvTranspose2d


@pytest.fixture(params=["own", "dilated"])
def way(request, monkeypatch):
    """Compute the weights' gradient in one way whatever the type and size."""
    monkeypatch.setattr(strided, "is_dilated_shorter", lambda small: request.param == "dilated")


def build_pair(kind, dtype=torch.float64, **options):
    """Build a layer and PyTorch's own with the same weights, and maps for them, 4x4 and 8x8."""
    torch.manual_seed(0)
    ours = kind(3, 5, **options).to(dtype)
    plain = {StridedConv2d: nn.Conv2d, StridedConvTranspose2d: nn.ConvTranspose2d}[kind](
        3, 5, 4, 2, 1, bias=ours.bias is not None
    ).to(dtype)
    plain.load_state_dict(ours.state_dict())
    side = 8 if kind is StridedConv2d else 4
    maps = torch.randn(2, 3, side, side, dtype=dtype).to(memory_format=torch.channels_last)
    return ours, plain, maps.requires_grad_(True)


def compute_gradients(layer, maps):
    """Return the output, its gradients, and those of a penalty on the slope at the maps."""
    layer.zero_grad()
    output = layer(maps)
    seed = torch.cos(torch.arange(output.numel(), dtype=output.dtype)).view_as(output)
    first = torch.autograd.grad(
        output, (maps, *layer.parameters()), seed, retain_graph=True, create_graph=True
    )
    (slope,) = torch.autograd.grad((output.square() * seed).sum(), maps, create_graph=True)
    second = torch.autograd.grad((slope.square()).sum(), (maps, *layer.parameters()))
    return [output, *first, *second]


@pytest.mark.parametrize("options", [{"bias": True}, {"bias": False}])
@pytest.mark.parametrize("kind", [StridedConv2d, StridedConvTranspose2d])
def test_outputs_and_both_gradients_are_pytorch_s(kind, options, way):
    ours, plain, maps = build_pair(kind, **options)
    for found, expected in zip(
        compute_gradients(ours, maps), compute_gradients(plain, maps), strict=True
    ):
        assert torch.allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("function", [strided._Convolution, strided._TransposedConvolution])
def test_gradients_are_the_slopes(function, way):
    torch.manual_seed(0)
    weight = torch.randn(2, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    side = 4 if function is strided._Convolution else 2
    maps = torch.randn(2, 2, side, side, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(function.apply, (maps, weight, bias))
    assert gradgradcheck(function.apply, (maps, weight, bias))


@pytest.mark.parametrize("kind", [StridedConv2d, StridedConvTranspose2d])
def test_without_gradients_and_for_other_sizes_it_is_pytorch_s_layer(kind):
    ours, plain, maps = build_pair(kind)
    assert type(ours(maps).grad_fn).__name__ != "ConvolutionBackward0"
    with torch.no_grad():
        assert torch.equal(ours(maps), plain(maps))
    if kind is StridedConv2d:
        odd = maps[..., :7]
        assert torch.equal(ours(odd), plain(odd))
    else:
        assert torch.equal(ours(maps, [9, 9]), plain(maps, [9, 9]))


def test_the_dilated_convolution_is_for_small_maps_in_bfloat16():
    small = torch.zeros(1, 1, MAX_DILATED_SIDE, MAX_DILATED_SIDE)
    assert strided.is_dilated_shorter(small.bfloat16())
    assert not strided.is_dilated_shorter(small)
    assert not strided.is_dilated_shorter(torch.zeros(1, 1, 4, MAX_DILATED_SIDE + 1).bfloat16())


@pytest.mark.parametrize("kind", [StridedConv2d, StridedConvTranspose2d])
def test_autocast_computes_in_bfloat16_and_gives_float32_gradients(kind):
    ours, plain, maps = build_pair(kind, torch.float32)
    found, expected = [], []
    for layer, values in ((ours, found), (plain, expected)):
        with torch.autocast("cpu", torch.bfloat16):
            output = layer(maps)
        assert output.dtype == torch.bfloat16
        output.float().square().sum().backward()
        assert layer.weight.grad.dtype == torch.float32
        values += [output.float(), layer.weight.grad]
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.allclose(mine, theirs, rtol=0.02, atol=0.02 * theirs.abs().max().item())


def test_a_penalty_s_first_pass_leaves_the_weights_gradient_out(monkeypatch):
    monkeypatch.setattr(strided, "is_dilated_shorter", lambda small: True)
    layer, _, maps = build_pair(StridedConv2d)
    calls = []
    forward = strided._WeightGradient.forward

    def count(ctx, *inputs):
        calls.append(1)
        return forward(ctx, *inputs)

    monkeypatch.setattr(strided._WeightGradient, "forward", staticmethod(count))
    (slope,) = torch.autograd.grad(layer(maps).square().sum(), maps, create_graph=True)
    assert not calls
    slope.square().sum().backward()
    assert len(calls) == 2  # through the slope, and through the output in it
