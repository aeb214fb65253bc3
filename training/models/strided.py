"""Convolutions that halve or double the side of maps: 4x4 kernels, stride 2.

On a CPU in bfloat16, PyTorch (oneDNN) takes two to four times as long for the gradient of the
weights as it must where maps are as small as 4x4: in a DCGAN, for the layers with the most weights.
The same sums are a dilated convolution of the maps with the gradients, samples taking the place of
channels, and that is quick. In float32 nothing is won.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

KERNEL_SIZE, STRIDE, PADDING = 4, 2, 1
# The side of the smaller maps up to which the detour is the shorter way.
MAX_SIDE = 4


class StridedConv2d(nn.Conv2d):
    """Halve the side of maps (N, C, 2H, 2W) by a strided convolution: (N, C', H, W)."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, KERNEL_SIZE, STRIDE, PADDING, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, 2H, 2W) to (N, C', H, W)."""
        if not is_detour_shorter(maps, max(maps.shape[2:]) // STRIDE):
            return super().forward(maps)
        return _add_bias(_apply(_Convolution, maps, self.weight), self.bias)


class StridedConvTranspose2d(nn.ConvTranspose2d):
    """Double the side of maps (N, C, H, W) by a transposed convolution: (N, C', 2H, 2W)."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False) -> None:
        super().__init__(in_channels, out_channels, KERNEL_SIZE, STRIDE, PADDING, bias=bias)

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (N, C, H, W) to (N, C', 2H, 2W)."""
        if output_size is not None or not is_detour_shorter(maps, max(maps.shape[2:])):
            return super().forward(maps, output_size)
        return _add_bias(_apply(_TransposedConvolution, maps, self.weight), self.bias)


def is_detour_shorter(maps: Tensor, side: int) -> bool:
    """Tell whether bfloat16 gradients are wanted on a CPU, of maps with a smaller side ``side``."""
    if side > MAX_SIDE or maps.device.type != "cpu" or not torch.is_grad_enabled():
        return False
    return get_dtype(maps) == torch.bfloat16


def get_dtype(maps: Tensor) -> torch.dtype:
    """Return the type in which a layer computes on these maps."""
    kind = maps.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else maps.dtype


class _Convolution(torch.autograd.Function):
    """Convolve maps (N, C, 2H, 2W) with weights (C', C, 4, 4); can be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(maps, weight)
        return functional.conv2d(maps, weight, None, STRIDE, PADDING)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        maps, weight = ctx.saved_tensors
        return (
            _TransposedConvolution.apply(gradient, weight) if _is_wanted(ctx, 0) else None,
            _WeightGradient.apply(maps, gradient) if _is_wanted(ctx, 1) else None,
        )


class _TransposedConvolution(torch.autograd.Function):
    """Take maps (N, C', H, W) back to (N, C, 2H, 2W) with weights (C', C, 4, 4)."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(maps, weight)
        return functional.conv_transpose2d(maps, weight, None, STRIDE, PADDING)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        maps, weight = ctx.saved_tensors
        return (
            _Convolution.apply(gradient, weight) if _is_wanted(ctx, 0) else None,
            _WeightGradient.apply(gradient, maps) if _is_wanted(ctx, 1) else None,
        )


class _WeightGradient(torch.autograd.Function):
    """Sum the products of large maps (N, C, 2H, 2W) and small ones (N, C', H, W): (C', C, 4, 4)."""

    @staticmethod
    def forward(ctx: Any, large: Tensor, small: Tensor) -> Tensor:
        ctx.save_for_backward(large, small)
        sums = functional.conv2d(
            large.transpose(0, 1), small.transpose(0, 1), None, 1, PADDING, dilation=STRIDE
        )
        return sums.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        large, small = ctx.saved_tensors
        wants_large, wants_small = ctx.needs_input_grad
        return (
            functional.conv_transpose2d(small, gradient, None, STRIDE, PADDING)
            if wants_large
            else None,
            functional.conv2d(large, gradient, None, STRIDE, PADDING) if wants_small else None,
        )


def _is_wanted(ctx: Any, index: int) -> bool:
    """Tell whether anyone asks for the gradient of an input in this backward pass.

    A gradient penalty first asks for that of images alone. ``needs_input_grad`` does not tell.
    """
    if not ctx.needs_input_grad[index]:
        return False
    try:
        return bool(torch._C._will_engine_execute_node(ctx.next_functions[index][0]))
    except RuntimeError:  # so it answers for a leaf whose own gradient is asked for
        return True


def _apply(convolution: type[torch.autograd.Function], maps: Tensor, weight: Tensor) -> Tensor:
    """Compute in the type that autocasting would; its casts cannot be in what saves tensors."""
    dtype = get_dtype(maps)
    with torch.autocast(maps.device.type, enabled=False):
        result: Tensor = convolution.apply(maps.to(dtype), weight.to(dtype))
    return result


def _add_bias(maps: Tensor, bias: Tensor | None) -> Tensor:
    return maps if bias is None else maps + bias.to(maps.dtype).view(1, -1, 1, 1)
