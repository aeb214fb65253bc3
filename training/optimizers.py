"""How a network's weights are moved: optimiser, learning rate, and what holds the weights back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn, profiler

from training.regularizers import HistoricalAverage, clip_weights

if TYPE_CHECKING:
    from training.config import TrainConfig

BASE_RATE = "initial_lr"  # torch's own name for it

# What a parameter group says of how its device computes, not of what.
DEVICE_KEYS = ("capturable", "foreach", "fused")

# A number on the device is read anew by every replay of a recorded step.
Rate: TypeAlias = float | Tensor


@dataclass(frozen=True)
class OptimizerSpec:
    """Register an optimiser: its builder of (parameters, learning rate, betas), default betas."""

    build: Callable[[Iterable[Tensor], Rate, tuple[float, float]], torch.optim.Optimizer]
    betas: tuple[float, float]


def build_adam(
    parameters: Iterable[Tensor], rate: Rate, betas: tuple[float, float]
) -> torch.optim.Optimizer:
    """Build Adam (Kingma and Ba 2015)."""
    return torch.optim.Adam(
        parameters, lr=rate, betas=betas, fused=True, capturable=is_capturable(rate)
    )


def build_rmsprop(
    parameters: Iterable[Tensor], rate: Rate, betas: tuple[float, float]
) -> torch.optim.Optimizer:
    """Build RMSprop (Tieleman and Hinton 2012), without momentum; its decay is the second beta."""
    return torch.optim.RMSprop(
        parameters, lr=rate, alpha=betas[1], foreach=True, capturable=is_capturable(rate)
    )


def build_rate(rate: float, config: "TrainConfig", device: torch.device) -> Rate:
    """Put a learning rate on the device if steps are to be recorded; else it stays a number."""
    return torch.tensor(rate, device=device) if config.cuda_graph else rate


def is_capturable(rate: Rate) -> bool:
    """Tell whether steps may be recorded in a CUDA graph: PyTorch has to be told before."""
    return isinstance(rate, Tensor) and rate.is_cuda


OPTIMIZERS: dict[str, OptimizerSpec] = {
    "adam": OptimizerSpec(build_adam, (0.5, 0.999)),
    "rmsprop": OptimizerSpec(build_rmsprop, (0.0, 0.99)),
}


class NetworkOptimizer:
    """Move one network by the gradients of a loss, and by what its options add to it.

    The base learning rate of each parameter group is its "initial_lr"; the rate in use follows from
    it and from ``set_progress``. A state holds rates as plain numbers, whatever they are here.
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
        self.rate = rate = float(learning_rate or 0.0)  # in use: what the device has is rounded
        own_rate = build_rate(rate, config, self._parameters[0].device)
        self.optimizer = spec.build(self._parameters, own_rate, betas)
        if is_capturable(own_rate):
            # PyTorch would warn of the steps before a recording, which are slower by themselves.
            self.optimizer._warned_capturable_if_run_uncaptured = True
        self._lr_decay, self._weight_clip = config.lr_decay, weight_clip
        weight = config.historical_averaging
        self._history = HistoricalAverage(self._parameters, weight) if weight else None
        for group in self.optimizer.param_groups:
            group[BASE_RATE] = rate

    def set_progress(self, fraction: float) -> None:
        """Set the learning rate for a fraction of the training that is done, 0 to 1."""
        factor = compute_rate_factor(fraction, self._lr_decay)
        for group in self.optimizer.param_groups:
            self.rate = factor * group[BASE_RATE]
            set_rate(group, self.rate)

    def scale_base_rate(self, factor: float) -> float:
        """Multiply the base learning rate, which a state keeps; returns the new one."""
        self.rate *= factor
        for group in self.optimizer.param_groups:
            set_rate(group, self.rate)
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
        state["param_groups"] = [{**group, "lr": self.rate} for group in state["param_groups"]]
        if self._history is not None:
            state["history"] = self._history.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned, on whatever device that was."""
        before = self.optimizer.param_groups
        own = [{key: group[key] for key in DEVICE_KEYS if key in group} for group in before]
        rates = [group["lr"] for group in before]
        merged = [{**saved, **kept} for saved, kept in zip(state["param_groups"], own, strict=True)]
        self.optimizer.load_state_dict({**state, "param_groups": merged})
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            self.rate = float(group["lr"])
            group.setdefault(BASE_RATE, self.rate)
            group["lr"] = rate
            set_rate(group, self.rate)
        if self._history is not None:
            self._history.load_state_dict(state["history"])


def set_rate(group: dict[str, Any], value: float) -> None:
    """Set the learning rate of a parameter group, in place where it is a number on the device."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(value)
    else:
        group["lr"] = value


def compute_rate_factor(fraction: float, decay: float) -> float:
    """Return 1 until the last share ``decay`` of the training, then fall linearly to 0 at its end.

    ``fraction`` of the training is done; a decay of 0 keeps 1.
    """
    return min(1.0, max(0.0, 1 - fraction) / decay) if decay else 1.0
