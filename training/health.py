"""Telling a training whose numbers stopped being finite, without waiting for the device often."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from training.errors import DivergenceError
from training.step import AdversarialStep
from training.updates import STAT_NAMES

LOSS_NETWORKS = {"loss_d": "discriminator", "loss_g": "generator"}
# The parts of a saved state by the network they belong to.
STATE_NETWORKS = {
    "generator": "generator",
    "generator_ema": "generator",
    "optimizer_g": "generator",
    "discriminator": "discriminator",
    "optimizer_d": "discriminator",
}
# Checkpoints hold the averaged generator in float16.
LARGEST_STORED = torch.finfo(torch.float16).max


def check_losses(last_step: int, stats: Tensor) -> None:
    """Raise DivergenceError for the first loss that is not finite; (steps, stats) up to a step."""
    for step, values in enumerate(stats.tolist(), last_step - len(stats) + 1):
        for name, network in LOSS_NETWORKS.items():
            value = values[STAT_NAMES.index(name)]
            if not math.isfinite(value):
                raise DivergenceError(
                    f"The loss of the {network} became {value} at step {step}", network, step
                )


def check_weights(engine: AdversarialStep, step: int) -> None:
    """Raise DivergenceError if weights are not finite, or too large for a checkpoint.

    One reduction over all weights of each network; the device is waited for once.
    """
    networks = (engine.generator, engine.discriminator, engine.generator_ema)
    largest = torch.stack([find_largest(_list_values(network)) for network in networks])
    generator, discriminator, averaged = largest.tolist()
    for network, value in (("generator", generator), ("discriminator", discriminator)):
        if not math.isfinite(value):
            raise DivergenceError(
                f"A weight of the {network} became {value} by step {step}", network, step
            )
    if not averaged <= LARGEST_STORED:
        raise DivergenceError(
            f"A weight of the averaged generator became {averaged:.3g} by step {step}, beyond the "
            f"{LARGEST_STORED:,.0f} that a checkpoint in float16 can hold",
            "generator",
            step,
        )


def check_state(state: Mapping[str, Any], step: int) -> None:
    """Raise DivergenceError if a number anywhere in a state to be saved is not finite."""
    parts = {name: list(_iter_tensors(value)) for name, value in state.items()}
    parts = {name: tensors for name, tensors in parts.items() if tensors}
    largest = torch.stack([find_largest(tensors) for tensors in parts.values()]).tolist()
    for name, value in zip(parts, largest, strict=True):
        if not math.isfinite(value):
            network = STATE_NETWORKS.get(name, name)
            raise DivergenceError(
                f"The {network}'s state ({name}) holds {value} at step {step}", network, step
            )


@torch.no_grad()
def find_largest(tensors: Iterable[Tensor]) -> Tensor:
    """Return the largest absolute value of all tensors as a scalar on their device; NaN wins."""
    norms = torch._foreach_norm([t.detach() for t in tensors], ord=math.inf)
    # The step counts of some optimisers stay on the CPU: the numbers that matter do not.
    device = next((norm.device for norm in norms if norm.device.type != "cpu"), norms[0].device)
    return torch.stack([norm.to(device, torch.float32) for norm in norms]).max()


def _list_values(network: nn.Module) -> list[Tensor]:
    return list(_iter_tensors(network.state_dict()))


def _iter_tensors(value: Any) -> Iterator[Tensor]:
    """Yield the floating-point tensors in nested dicts and lists; empty ones have no norm."""
    if isinstance(value, Tensor):
        if value.is_floating_point() and value.numel():
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _iter_tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _iter_tensors(item)
