"""Sensitivity: how far the image moves for a step in z, along random directions.

Changes are in grey levels: the root mean square over an image's pixels, 0 to 255.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.latents import sample_latents

RenderLatents = Callable[[Tensor, int], NDArray[np.uint8]]
"""Makes the images (N, ...) uint8 of latents (N, z_dim) around the sample of a seed."""


@dataclass(frozen=True, eq=False)
class SensitivityMeasure:
    """Hold changes (D, S) by direction and step, averaged over the base points so far.

    `between` is the change between two different base points on average, 0 until there are two.
    """

    base_seeds: tuple[int, ...]
    direction_seeds: tuple[int, ...]
    steps: tuple[float, ...]
    changes: NDArray[np.float64]
    between: float


def make_direction(seed: int, z_dim: int) -> Tensor:
    """Make the direction of a seed: its latent, scaled to length 1, (z_dim,)."""
    latent = sample_latents([seed], z_dim)[0]
    return latent / latent.norm()


def iter_sensitivity(
    render: RenderLatents,
    z_dim: int,
    base_seeds: Sequence[int],
    direction_seeds: Sequence[int],
    steps: Sequence[float],
) -> Iterator[SensitivityMeasure]:
    """Yield what is known after each base point; its image moves D x S times (finite differences).

    A step of length s along direction d goes from z to z + s d.
    """
    directions = torch.stack([make_direction(seed, z_dim) for seed in direction_seeds])  # (D, z)
    moves = (torch.tensor(steps)[None, :, None] * directions[:, None]).flatten(0, 1)  # (D * S, z)
    total = np.zeros((len(direction_seeds), len(steps)))
    centres: list[NDArray[np.float64]] = []
    for base_seed in base_seeds:
        start = sample_latents([base_seed], z_dim)  # (1, z)
        images = render(torch.cat([start, start + moves]), base_seed)
        total += measure_changes(images[1:], images[0]).reshape(total.shape)
        centres.append(images[0].astype(np.float64))
        yield SensitivityMeasure(
            base_seeds=tuple(base_seeds[: len(centres)]),
            direction_seeds=tuple(direction_seeds),
            steps=tuple(steps),
            changes=total / len(centres),
            between=_average_between(centres),
        )


def measure_changes(images: NDArray[np.uint8], origin: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Measure how far images (N, ...) are from one image (...), in grey levels (N,)."""
    difference = images.astype(np.float64) - origin.astype(np.float64)
    changes: NDArray[np.float64] = np.sqrt(np.square(difference).reshape(len(images), -1).mean(1))
    return changes


def _average_between(images: list[NDArray[np.float64]]) -> float:
    pairs = [
        float(np.sqrt(np.square(a - b).mean()))
        for i, a in enumerate(images)
        for b in images[i + 1 :]
    ]
    return float(np.mean(pairs)) if pairs else 0.0
