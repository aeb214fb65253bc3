"""How far a model's image moves per step in z, one base point after another."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.diagnosis.types import DirectionCurve, Sensitivity
from explorer.sampler import Sampler
from training.latents import MAX_SEED
from training.metrics.sensitivity import SensitivityMeasure, iter_sensitivity

STEPS = (0.5, 1.0, 2.0, 4.0)
NUM_BASES = 8
NUM_DIRECTIONS = 16
NUM_SHOWN = 4
# Directions have seeds of their own, far from those of samples, so that none is a base point.
FIRST_DIRECTION_SEED = 3_000_000_000


def stream_sensitivity(sampler: Sampler, model: str, base_seed: int) -> Iterator[Sensitivity]:
    """Yield what is known after each of 8 base points, 65 images each.

    The base points are the first samples, the directions 16 random ones. A model with labels keeps
    those of the sample.
    """
    header = sampler.get_header(model)

    def render(latents: Tensor, seed: int) -> NDArray[np.uint8]:
        labels = sampler.make_label_vectors(model, [seed] * len(latents))
        return sampler.sample_images(model, latents.to(torch.float32), labels, is_background=True)

    bases = range(base_seed, min(base_seed + NUM_BASES, MAX_SEED + 1))
    directions = range(FIRST_DIRECTION_SEED, FIRST_DIRECTION_SEED + NUM_DIRECTIONS)
    for found in iter_sensitivity(render, header.model.z_dim, bases, directions, STEPS):
        yield build_sensitivity(found)


def build_sensitivity(found: SensitivityMeasure) -> Sensitivity:
    """Build the record: the average over directions, the flattest and the strongest of them."""
    order = np.argsort(found.changes[:, -1], kind="stable")
    curves = [
        DirectionCurve(found.direction_seeds[i], tuple(found.changes[i].tolist())) for i in order
    ]
    shown = min(NUM_SHOWN, len(curves))
    return Sensitivity(
        steps=found.steps,
        mean_changes=tuple(found.changes.mean(axis=0).tolist()),
        between_samples=found.between,
        num_directions=len(curves),
        base_seeds=found.base_seeds,
        flattest=tuple(curves[:shown]),
        strongest=tuple(curves[::-1][:shown]),
    )
