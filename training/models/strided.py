"""Convolutions that halve or double the side of maps: 4x4 kernels, stride 2.

Gradients that are differentiated once more, as by a gradient penalty, are computed here. PyTorch
then convolves with the gradients as a kernel, whatever the size, which on a CPU takes up to seven
times as long as the weights' gradient of a first pass: the same sums. On a CPU alone, for small
maps in bfloat16, that convolution, dilated, samples taking the place of channels, is the quicker
way, in a first pass too.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.grad import conv2d_weight

KERNEL_SIZE, STRIDE, PADDING = 4, 2, 1
# The side of the smaller maps up to which the dilated convolution is the shorter way in bfloat16.
MAX_DILATED_SIDE = 8

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]


class StridedConv2d(nn.Conv2d):
    """Halve the side of maps (N, C, 2H, 2W) by a strided convolution: (N, C', H, W)."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, KERNEL_SIZE, STRIDE, PADDING, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, 2H, 2W) to (N, C', H, W)."""
        if not has_own_gradients(maps) or any(side % STRIDE for side in maps.shape[2:]):
            return super().forward(maps)
        return _apply(_Convolution, maps, self.weight, self.bias)


class StridedConvTranspose2d(nn.ConvTranspose2d):
    """Double the side of maps (N, C, H, W) by a transposed convolution: (N, C', 2H, 2W)."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False) -> None:
        super().__init__(in_channels, out_channels, KERNEL_SIZE, STRIDE, PADDING, bias=bias)

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (N, C, H, W) to (N, C', 2H, 2W)."""
        if output_size is not None or not has_own_gradients(maps):
            return super().forward(maps, output_size)
        return _apply(_TransposedConvolution, maps, self.weight, self.bias)


def has_own_gradients(maps: Tensor) -> bool:
    """Tell whether gradients may be wanted, on a device whose libraries have those of weights."""
    return maps.device.type in ("cpu", "cuda") and torch.is_grad_enabled()


def is_dilated_shorter(small: Tensor) -> bool:
    """Tell whether the weights' gradient is quicker as a dilated convolution."""
    is_narrow = small.device.type == "cpu" and small.dtype == torch.bfloat16
    return is_narrow and max(small.shape[2:]) <= MAX_DILATED_SIDE


def get_dtype(maps: Tensor) -> torch.dtype:
    """Return the type in which a layer computes on these maps."""
    kind = maps.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else maps.dtype


class _Convolution(torch.autograd.Function):
    """Convolve maps (N, C, 2H, 2W) with weights (C', C, 4, 4); can be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(maps, weight)
        return functional.conv2d(maps, weight, bias, STRIDE, PADDING)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _compute_gradients(ctx, gradient, is_transposed=False)


class _TransposedConvolution(torch.autograd.Function):
    """Take maps (N, C', H, W) back to (N, C, 2H, 2W) with weights (C', C, 4, 4)."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(maps, weight)
        return functional.conv_transpose2d(maps, weight, bias, STRIDE, PADDING)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _compute_gradients(ctx, gradient, is_transposed=True)


class _WeightGradient(torch.autograd.Function):
    """Sum the products of large maps (N, C, 2H, 2W) and small ones (N, C', H, W): (C', C, 4, 4)."""

    @staticmethod
    def forward(ctx: Any, large: Tensor, small: Tensor) -> Tensor:
        ctx.save_for_backward(large, small)
        if is_dilated_shorter(small):
            kernel = small.transpose(0, 1)
            sums = functional.conv2d(large.transpose(0, 1), kernel, None, 1, PADDING, STRIDE)
            return sums.transpose(0, 1)
        shape = (small.shape[1], large.shape[1], KERNEL_SIZE, KERNEL_SIZE)
        return conv2d_weight(large, shape, small, STRIDE, PADDING)

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


def _compute_gradients(ctx: Any, gradient: Tensor, is_transposed: bool) -> Gradients:
    """Return the gradients of maps, weight and bias that are wanted.

    Where they are not to be differentiated again, they are PyTorch's, all in one.
    """
    maps, weight = ctx.saved_tensors
    wants = [_is_wanted(ctx, index) for index in range(3)]
    large, small = (gradient, maps) if is_transposed else (maps, gradient)
    if not torch.is_grad_enabled() and not is_dilated_shorter(small):
        gradients: Gradients = torch.ops.aten.convolution_backward(
            *(gradient, maps, weight, [gradient.shape[1]]),
            *([STRIDE] * 2, [PADDING] * 2, [1, 1], is_transposed, [0, 0], 1, wants),
        )
        return gradients
    back = _Convolution if is_transposed else _TransposedConvolution
    return (
        back.apply(gradient, weight, None) if wants[0] else None,
        _WeightGradient.apply(large, small) if wants[1] else None,
        gradient.sum((0, 2, 3)) if wants[2] else None,
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


def _apply(
    convolution: type[torch.autograd.Function], maps: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """Compute in the type that autocasting would; its casts cannot be in what saves tensors."""
    dtype = get_dtype(maps)
    bias = None if bias is None else bias.to(dtype)
    with torch.autocast(maps.device.type, enabled=False):
        result: Tensor = convolution.apply(maps.to(dtype), weight.to(dtype), bias)
    return result
