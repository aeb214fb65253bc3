"""Sweeps: whether what is read follows one label while noise and all other labels stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.images import to_uint8
from training.labels import ClassLabel, Label
from training.latents import sample_latents
from training.metrics.label_agreement import correlate_ranks
from training.metrics.label_reader import LabelReader
from training.metrics.sampling import get_label_layout

NUM_STOPS = 16  # of a number; a class has its values


@dataclass(frozen=True, eq=False)
class LabelSweep:
    """Hold what was read, (S, K), off images of S seeds at the K values ``stops`` of one label."""

    label: Label
    stops: tuple[float, ...]
    read: NDArray[np.float32]

    @property
    def correlations(self) -> NDArray[np.float64]:
        """Return Spearman's rank correlation of asked and read numbers along each seed, (S,)."""
        asked = np.array(self.stops)
        return np.array([correlate_ranks(asked, row) for row in self.read])

    @property
    def shares(self) -> NDArray[np.float64]:
        """Return the share of seeds read right at each class, (K,)."""
        shares: NDArray[np.float64] = (self.read == np.array(self.stops)).mean(axis=0)
        return shares

    def describe(self) -> dict[str, Any]:
        """Return the numbers as plain JSON values."""
        facts = {
            "label": self.label.name,
            "num_seeds": len(self.read),
            "asked": [self.label.format(stop) for stop in self.stops],
        }
        if isinstance(self.label, ClassLabel):
            return {**facts, "shares": self.shares.tolist()}
        found = self.correlations
        return {
            **facts,
            "read": self.read.mean(axis=0).tolist(),
            "correlation": {"mean": float(found.mean()), "lowest": float(found.min())},
        }


def measure_sweep(
    generator: nn.Module, name: str, reader: LabelReader, seeds: Sequence[int]
) -> LabelSweep:
    """Read images of each seed at all classes of a label, or at 16 numbers evenly spaced.

    Numbers are of the middle nine tenths of the data. Raises ConfigError without such a label.
    """
    layout = get_label_layout(generator)
    label = layout.find(name)
    stops = tuple(label.list_stops(NUM_STOPS))
    column, device = layout.names.index(name), next(generator.parameters()).device
    read = []
    for seed in seeds:
        rows = layout.draw([seed]).repeat(len(stops), 1)
        rows[:, column] = torch.tensor(stops)
        latents = sample_latents([seed], int(generator.z_dim))  # type: ignore[arg-type]
        with torch.inference_mode():
            images = generator(latents.expand(len(stops), -1).to(device), rows.to(device))
            read.append(reader.read(to_uint8(images))[:, reader.layout.names.index(name)])
    return LabelSweep(label, stops, np.stack(read))
