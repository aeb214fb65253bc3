"""An exponential moving average of a generator's weights."""

import copy
from typing import cast

import torch
from torch import Tensor, nn


def build_ema(generator: nn.Module) -> nn.Module:
    """Copy a generator into its average: eval mode, no gradients."""
    return copy.deepcopy(generator).eval().requires_grad_(False)


@torch.no_grad()
def update_ema(generator_ema: nn.Module, generator: nn.Module, decay: float) -> None:
    """Move the average a step: ema = decay * ema + (1 - decay) * generator.

    Batch-norm means and variances are averaged like weights; counters are copied.
    """
    averaged = cast("dict[str, Tensor]", generator_ema.state_dict())
    current = generator.state_dict()
    floats = [name for name, tensor in averaged.items() if tensor.is_floating_point()]
    torch._foreach_lerp_([averaged[n] for n in floats], [current[n] for n in floats], 1 - decay)
    for name in averaged.keys() - set(floats):
        averaged[name].copy_(current[name])


def warm_up_decay(decay: float, step: int) -> float:
    """Return the decay for a step (from 1): early averages forget the random start sooner."""
    return min(decay, (1 + step) / (10 + step))
