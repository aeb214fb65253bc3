"""The evidence of a diagnosis as pictures: pairs, ways through z, samples beside real images."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.diagnosis.types import Diagnosis, DirectionCurve
from explorer.images import make_grid, save_png
from explorer.sampler import Sampler
from explorer.weights import DIAGNOSE_AGAIN, hold_weights
from training.datasets.types import ImageDataset
from training.metrics.sensitivity import make_direction

NUM_STEPS = 9  # images along a direction, the base point in the middle

Images = NDArray[np.uint8]


def write_sheets(
    folder: Path, diagnosis: Diagnosis, sampler: Sampler, dataset: ImageDataset | None
) -> list[Path]:
    """Write the sheets that a diagnosis has evidence for, and return their paths.

    MODEL-pairs.png: the closest pairs, one a row. MODEL-flat.png and MODEL-strong.png: steps along
    the flattest and strongest directions, one a row. MODEL-nearest.png: the samples nearest to real
    images, each with that image; only with the data set. Raises CheckpointError if the model has
    other weights than those that were diagnosed.
    """
    with hold_weights(sampler.library, diagnosis.model, diagnosis.checkpoint, DIAGNOSE_AGAIN):
        sheets = make_sheets(diagnosis, sampler, dataset)
    paths = []
    for name, (images, columns) in sheets.items():
        paths.append(folder / f"{diagnosis.model}-{name}.png")
        save_png(paths[-1], make_grid(images, columns))
    return paths


def make_sheets(
    diagnosis: Diagnosis, sampler: Sampler, dataset: ImageDataset | None
) -> dict[str, tuple[Images, int]]:
    """Make the images of each sheet, by its name, and say how many stand side by side."""
    sheets: dict[str, tuple[Images, int]] = {}
    if diagnosis.duplicates is not None and diagnosis.duplicates.closest:
        pairs = diagnosis.duplicates.closest
        seeds = [seed for pair in pairs for seed in (pair.first_seed, pair.second_seed)]
        sheets["pairs"] = (sample_seeds(sampler, diagnosis.model, seeds), 2)
    if diagnosis.sensitivity is not None:
        for name in ("flat", "strong"):
            curves = getattr(
                diagnosis.sensitivity, {"flat": "flattest", "strong": "strongest"}[name]
            )
            step = diagnosis.sensitivity.steps[-1]
            base = diagnosis.sensitivity.base_seeds[0]
            ways = [walk(sampler, diagnosis.model, base, curve, step) for curve in curves]
            sheets[name] = (np.concatenate(ways), NUM_STEPS)
    if dataset is not None and diagnosis.copying is not None and diagnosis.copying.closest:
        near = diagnosis.copying.closest
        samples = sample_seeds(sampler, diagnosis.model, [image.seed for image in near])
        real = np.stack([dataset[image.image_index] for image in near]).transpose(0, 2, 3, 1)
        both = np.stack([samples, real], axis=1).reshape(-1, *samples.shape[1:])
        sheets["nearest"] = (both, 2)
    return sheets


def sample_seeds(sampler: Sampler, model: str, seeds: list[int]) -> Images:
    """Make the samples of seeds as the diagnosis saw them: labels are drawn by seed."""
    return sampler.sample_seeds(model, seeds)


def walk(
    sampler: Sampler, model: str, base_seed: int, curve: DirectionCurve, largest: float
) -> Images:
    """Make images along a direction, from `largest` before the base point to as far behind it."""
    start = sampler.make_latents(model, [base_seed])  # (1, z_dim)
    direction = make_direction(curve.direction_seed, start.shape[1])
    steps = torch.linspace(-largest, largest, NUM_STEPS)
    labels = sampler.make_label_vectors(model, [base_seed] * NUM_STEPS)
    return sampler.sample_images(model, start + steps[:, None] * direction, labels)
