"""Layer normalisation of maps, with a scale and a shift per channel.

A gradient penalty differentiates it twice. PyTorch then computes the first derivative in many
passes over memory, and the second in more. On a CPU the first is here its quick one for a single
pass, and the second a closed form, taken over a few samples at a time that stay in the cache. A GPU
normalises the rows that maps with channels innermost are in memory: PyTorch's group norm would copy
them into another order and back, and keep their means in the maps' type.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Values of each tensor that are worked on at a time.
BLOCK_SIZE = 2**19


class LayerNorm2d(nn.GroupNorm):
    """Normalise (N, C, H, W) per sample over C, H and W, with a scale and shift per channel.

    Autocasting would convert to float32 and back, which costs WGAN-GP a seventh of its step;
    here outputs have the type of the inputs, as a batch norm's do. Sums are taken in float32.
    It can be differentiated twice, not three times, on a CPU.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape and type."""
        with torch.autocast(x.device.type, enabled=False):
            if has_own_gradients(x, self.weight):
                normalized: Tensor = _LayerNorm.apply(x, self.weight, self.bias, self.eps)
                return normalized
            scale, shift = self.weight.to(x.dtype), self.bias.to(x.dtype)
            if x.device.type == "cuda":
                return normalize_rows(x, scale, shift, self.eps)
            return functional.group_norm(x, self.num_groups, scale, shift, self.eps)


def normalize_rows(x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """Normalise maps (N, C, H, W) as rows (N, H * W * C); scale and shift are (C,)."""
    maps = x.permute(0, 2, 3, 1)  # (N, H, W, C)
    normalized = functional.layer_norm(maps, maps.shape[1:], eps=eps)
    return torch.addcmul(shift, normalized, scale).permute(0, 3, 1, 2)


def has_own_gradients(x: Tensor, scale: Tensor) -> bool:
    """Tell whether gradients may be wanted on a CPU, in types that its single passes take."""
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return False
    is_narrow = x.dtype in (torch.bfloat16, torch.float16)
    return scale.dtype == x.dtype or (is_narrow and scale.dtype == torch.float32)


class _LayerNorm(torch.autograd.Function):
    """Normalise maps (N, C, H, W); scale and shift are (C,)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
        x = arrange(x, x)
        normalized, mean, inverse_deviation = torch.native_group_norm(
            x, scale, shift, *get_sizes(x), 1, eps
        )
        ctx.save_for_backward(x, scale, mean, inverse_deviation)
        result: Tensor = normalized
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return *_LayerNormGradient.apply(gradient, *ctx.saved_tensors), None


class _LayerNormGradient(torch.autograd.Function):
    """Return the gradients of maps, scale and shift.

    Per sample, with x^ the normalised values, s the inverse deviation, h the gradient times the
    scale and means over a sample: s (h - mean(h) - x^ mean(h x^)).
    """

    @staticmethod
    def forward(
        ctx: Any,
        gradient: Tensor,
        x: Tensor,
        scale: Tensor,
        mean: Tensor,
        inverse_deviation: Tensor,
    ) -> Any:
        gradient = arrange(gradient, x)
        ctx.save_for_backward(gradient, x, scale, mean, inverse_deviation)
        ctx.set_materialize_grads(False)
        return compute_gradients(gradient, x, scale, mean, inverse_deviation)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, wanted: Tensor | None, wanted_scale: Tensor | None, wanted_shift: Tensor | None
    ) -> Any:
        gradient, x, scale, mean, inverse_deviation = ctx.saved_tensors
        if wanted is None:
            wanted = torch.zeros((), dtype=x.dtype).expand_as(x)
        by_gradient, by_x, by_scale = differentiate_twice(
            get_rows(wanted),
            get_rows(gradient),
            get_rows(x),
            scale,
            mean.view(-1, 1, 1),
            inverse_deviation.view(-1, 1, 1),
        )
        by_gradient, by_x = shape_back(by_gradient, x), shape_back(by_x, x)
        if wanted_scale is not None:
            normalized = (x - mean.view(-1, 1, 1, 1)) * inverse_deviation.view(-1, 1, 1, 1)
            by_gradient = by_gradient + normalized * wanted_scale.view(1, -1, 1, 1)
            by_x = by_x + compute_gradients(gradient, x, wanted_scale, mean, inverse_deviation)[0]
        if wanted_shift is not None:
            by_gradient = by_gradient + wanted_shift.view(1, -1, 1, 1)
        return by_gradient.to(gradient.dtype), by_x.to(x.dtype), by_scale, None, None


def compute_gradients(
    gradient: Tensor, x: Tensor, scale: Tensor, mean: Tensor, inverse_deviation: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of maps (N, C, H, W), scale and shift, by PyTorch's single pass."""
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_group_norm_backward(
        gradient, x, mean, inverse_deviation, scale, *get_sizes(x), 1, [True, True, True]
    )
    return gradients


def differentiate_twice(
    wanted: Tensor,
    gradient: Tensor,
    x: Tensor,
    scale: Tensor,
    mean: Tensor,
    inverse_deviation: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Differentiate the sum of ``wanted`` times the gradient of x, by gradient, x and scale.

    All maps are (N, HW, C), scale is (C,), mean and inverse deviation are (N, 1, 1). Results are as
    the maps, as those, and as the scale.
    """
    by_gradient, by_x = torch.empty_like(gradient), torch.empty_like(x)
    by_scale = torch.zeros_like(scale)
    block = max(1, BLOCK_SIZE // x[0].numel())
    for start in range(0, len(x), block):
        part = slice(start, start + block)
        by_gradient[part], by_x[part], part_by_scale = differentiate_block(
            wanted[part].to(scale.dtype),
            gradient[part].to(scale.dtype),
            x[part].to(scale.dtype),
            scale,
            mean[part],
            inverse_deviation[part],
        )
        by_scale += part_by_scale
    return by_gradient, by_x, by_scale


def differentiate_block(
    wanted: Tensor,
    gradient: Tensor,
    x: Tensor,
    scale: Tensor,
    mean: Tensor,
    inverse_deviation: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Do what `differentiate_twice` does, for so few samples that they stay in the cache.

    With v what is wanted, h the gradient times the scale, x^ the normalised values, s the inverse
    deviation and means over a sample, the sum is s N (mean(vh) - mean(v) mean(h) - mean(vx^)
    mean(hx^)). In x, d s = -s^2 x^ / N and d x^ = s (1 - 1/N - x^ x^ / N).
    """
    count = x[0].numel()
    normalized = (x - mean).mul_(inverse_deviation)
    mean_v = wanted.mean((1, 2), keepdim=True)
    mean_vx = (wanted * normalized).mean((1, 2), keepdim=True)
    # Per channel, (N, 1, C): the scale is the same within one, and wants these itself.
    sum_g = gradient.sum(1, keepdim=True)
    sum_gx = (gradient * normalized).sum(1, keepdim=True)
    sum_gv = (gradient * wanted).sum(1, keepdim=True)
    mean_h, mean_hx, mean_hv = (
        (sums * scale).sum(2, keepdim=True) / count for sums in (sum_g, sum_gx, sum_gv)
    )
    by_scale = (inverse_deviation * (sum_gv - mean_v * sum_g - mean_vx * sum_gx)).sum((0, 1))

    factor = inverse_deviation * scale
    by_gradient = torch.addcmul(-mean_v * factor, normalized, -mean_vx * factor)
    by_gradient.addcmul_(wanted, factor)

    factor = -inverse_deviation.square()
    offset = -factor * (mean_h * mean_vx + mean_v * mean_hx)
    of_x = factor * (mean_hv - mean_h * mean_v - 3 * mean_hx * mean_vx)
    by_x = torch.addcmul(offset, normalized, of_x)
    by_x.addcmul_(gradient, factor * mean_vx * scale).addcmul_(wanted, factor * mean_hx)
    return by_gradient, by_x, by_scale


def get_sizes(x: Tensor) -> tuple[int, int, int]:
    """Return N, C and HW of maps (N, C, H, W)."""
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])


def arrange(maps: Tensor, like: Tensor) -> Tensor:
    """Lay maps out without gaps: channels innermost where those of ``like`` are."""
    is_last = like.is_contiguous(memory_format=torch.channels_last)
    return maps.contiguous(
        memory_format=torch.channels_last if is_last else torch.contiguous_format
    )


def get_rows(x: Tensor) -> Tensor:
    """View maps (N, C, H, W) as (N, HW, C); where channels are not innermost they are copied."""
    return x.flatten(2).transpose(1, 2).contiguous()


def shape_back(rows: Tensor, like: Tensor) -> Tensor:
    """View (N, HW, C) as maps (N, C, H, W), channels innermost."""
    return rows.transpose(1, 2).view(like.shape)
