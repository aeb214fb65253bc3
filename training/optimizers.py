"""How a network's weights are moved: optimiser, learning rate, and what holds the weights back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn, profiler

from training.regularizers import HistoricalAverage, clip_weights

if TYPE_CHECKING:
    from training.config import TrainConfig

BASE_RATE = "initial_lr"  # torch's own name for it


@dataclass(frozen=True)
class OptimizerSpec:
    """Register an optimiser: its builder of (parameters, learning rate, betas), default betas."""

    build: Callable[[Iterable[Tensor], float, tuple[float, float]], torch.optim.Optimizer]
    betas: tuple[float, float]


def build_adam(
    parameters: Iterable[Tensor], learning_rate: float, betas: tuple[float, float]
) -> torch.optim.Optimizer:
    """Build Adam (Kingma and Ba 2015)."""
    return torch.optim.Adam(parameters, lr=learning_rate, betas=betas, fused=True)


def build_rmsprop(
    parameters: Iterable[Tensor], learning_rate: float, betas: tuple[float, float]
) -> torch.optim.Optimizer:
    """Build RMSprop (Tieleman and Hinton 2012), without momentum; its decay is the second beta."""
    return torch.optim.RMSprop(parameters, lr=learning_rate, alpha=betas[1], foreach=True)


OPTIMIZERS: dict[str, OptimizerSpec] = {
    "adam": OptimizerSpec(build_adam, (0.5, 0.999)),
    "rmsprop": OptimizerSpec(build_rmsprop, (0.0, 0.99)),
}


class NetworkOptimizer:
    """Move one network by the gradients of a loss, and by what its options add to it.

    The base learning rate of each parameter group is its "initial_lr"; the rate in use follows from
    it and from ``set_progress``.
    """

    def __init__(
        self,
        network: nn.Module,
        config: "TrainConfig",
        learning_rate: float | None,
        weight_clip: float = 0.0,
    ) -> None:
        self._parameters = list(network.parameters())
        spec = OPTIMIZERS[str(config.optimizer)]
        betas = (float(config.beta1 or 0.0), float(config.beta2 or 0.0))
        self.optimizer = spec.build(self._parameters, float(learning_rate or 0.0), betas)
        self._lr_decay, self._weight_clip = config.lr_decay, weight_clip
        weight = config.historical_averaging
        self._history = HistoricalAverage(self._parameters, weight) if weight else None
        self._keep_base_rates()

    def set_progress(self, fraction: float) -> None:
        """Set the learning rate for a fraction of the training that is done, 0 to 1."""
        factor = compute_rate_factor(fraction, self._lr_decay)
        for group in self.optimizer.param_groups:
            group["lr"] = factor * group[BASE_RATE]

    def scale_base_rate(self, factor: float) -> float:
        """Multiply the base learning rate, which a state keeps; returns the new one."""
        for group in self.optimizer.param_groups:
            group["lr"] *= factor
            group[BASE_RATE] *= factor
        return float(self.optimizer.param_groups[0][BASE_RATE])

    def zero_grad(self) -> None:
        """Forget all gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Move the weights by the gradients they hold."""
        with profiler.record_function("optimizer"):
            if self._history is not None:
                self._history.add_gradients()
            self.optimizer.step()
            if self._weight_clip:
                clip_weights(self._parameters, self._weight_clip)
            if self._history is not None:
                self._history.update()

    def state_dict(self) -> dict[str, Any]:
        """Return the optimiser's state, and beside it the weights' mean where there is one."""
        state = self.optimizer.state_dict()
        if self._history is not None:
            state["history"] = self._history.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.optimizer.load_state_dict(state)
        self._keep_base_rates()
        if self._history is not None:
            self._history.load_state_dict(state["history"])

    def _keep_base_rates(self) -> None:
        for group in self.optimizer.param_groups:
            group.setdefault(BASE_RATE, group["lr"])


def compute_rate_factor(fraction: float, decay: float) -> float:
    """Return 1 until the last share ``decay`` of the training, then fall linearly to 0 at its end.

    ``fraction`` of the training is done; a decay of 0 keeps 1.
    """
    return min(1.0, max(0.0, 1 - fraction) / decay) if decay else 1.0
