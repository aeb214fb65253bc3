"""An exponential moving average of a generator's weights."""

import copy

import torch
from torch import nn


class AveragedGenerator:
    """Average a generator's weights over the steps, from those it has now.

    ``network`` is the average, in eval mode and without gradients. Batch-norm means and variances
    are averaged like weights; counters are copied.
    """

    def __init__(self, generator: nn.Module) -> None:
        self.network = copy.deepcopy(generator).eval().requires_grad_(False)
        # Collected once: weights are changed where they are, and to list them takes longer than
        # a small network's step on a GPU.
        current = generator.state_dict()
        averaged = self.network.state_dict()
        names = [name for name, tensor in averaged.items() if tensor.is_floating_point()]
        self._means = [averaged[name] for name in names]
        self._current = [current[name] for name in names]
        self._counters = [(averaged[name], current[name]) for name in averaged.keys() - set(names)]

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """Move the average a step: ema = decay * ema + (1 - decay) * generator."""
        torch._foreach_lerp_(self._means, self._current, 1 - decay)
        for counter, current in self._counters:
            counter.copy_(current)


def warm_up_decay(decay: float, step: int) -> float:
    """Return the decay for a step (from 1): early averages forget the random start sooner."""
    return min(decay, (1 + step) / (10 + step))
