"""What holds weights back: their past, and a bound."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class HistoricalAverage:
    """Pull weights towards their mean so far: weight * |theta - mean|^2 (Salimans et al. 2016).

    The mean is over all weights so far, from the first to the present ones.
    """

    def __init__(self, parameters: Sequence[Tensor], weight: float) -> None:
        self._parameters, self._weight = parameters, weight
        self._means = [parameter.detach().clone() for parameter in parameters]
        self._count = 1

    @torch.no_grad()
    def add_gradients(self) -> None:
        """Add the term's gradient, 2 * weight * (theta - mean), to that of the loss."""
        pairs = zip(self._parameters, self._means, strict=True)
        moved = [(p, mean) for p, mean in pairs if p.grad is not None]
        offsets = torch._foreach_sub([p.detach() for p, _ in moved], [mean for _, mean in moved])
        gradients = [p.grad for p, _ in moved if p.grad is not None]
        torch._foreach_add_(gradients, offsets, alpha=2 * self._weight)

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights after a step into the mean."""
        self._count += 1
        torch._foreach_lerp_(self._means, [p.detach() for p in self._parameters], 1 / self._count)

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs."""
        return {"count": self._count, "means": self._means}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the mean and the number of weights in it."""
        self._count = int(state["count"])
        for mean, saved in zip(self._means, state["means"], strict=True):
            mean.copy_(saved)


@torch.no_grad()
def clip_weights(parameters: Sequence[Tensor], bound: float) -> None:
    """Move every weight into [-bound, bound] (Arjovsky et al. 2017)."""
    torch._foreach_clamp_min_(list(parameters), -bound)
    torch._foreach_clamp_max_(list(parameters), bound)
