"""Diversity within a label: whether images with one label still differ as real ones do.

A generator that makes one image for each label shows every label, and has failed all the same.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.labels import ClassLabel, Label, LabelLayout
from training.metrics.spread import measure_spread

# Fewer images of a group do not tell how far its images lie apart.
MIN_IMAGES = 10
# Numbers are grouped by as many parts of the data of equal size.
NUM_PARTS = 4

Features = NDArray[np.float32]
Values = NDArray[np.float32]


@dataclass(frozen=True)
class LabelDiversity:
    """Hold, for one label, how far images of one value lie apart, as a share of real ones.

    ``ratios`` has for each group (a class, or a quarter of the numbers) the mean distance of two
    generated images' features by that of two real ones; nan where images are too few.
    """

    name: str
    groups: tuple[str, ...]
    ratios: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean over the groups that have a ratio; nan if none has."""
        known = [ratio for ratio in self.ratios if np.isfinite(ratio)]
        return float(np.mean(known)) if known else float("nan")

    @property
    def lowest(self) -> tuple[str, float] | None:
        """Return the group of least diversity and its ratio; None if none has one."""
        known = [pair for pair in zip(self.groups, self.ratios, strict=True) if pair[1] == pair[1]]
        return min(known, key=lambda pair: pair[1]) if known else None

    def describe(self) -> dict[str, Any] | None:
        """Return mean and lowest ratio as plain JSON values; None if there are too few images."""
        if self.lowest is None:
            return None
        group, ratio = self.lowest
        return {"mean": self.mean, "lowest": ratio, "lowest_group": group}


def measure_diversity(
    layout: LabelLayout,
    features: Features,
    rows: Values,
    real_features: Features,
    real_rows: Values,
) -> tuple[LabelDiversity, ...]:
    """Compare how far images of one label value lie apart, label by label.

    Features (N, d) are of generated images with label rows (N, L), and of real ones with theirs.
    """
    return tuple(
        _compare(label, features, rows[:, column], real_features, real_rows[:, column])
        for column, label in enumerate(layout)
    )


def _compare(
    label: Label, features: Features, values: Values, real_features: Features, real_values: Values
) -> LabelDiversity:
    if isinstance(label, ClassLabel):
        groups = label.values
        own, real = values.astype(int), real_values.astype(int)
    else:
        edges = np.quantile(real_values, np.linspace(0, 1, NUM_PARTS + 1))
        groups = tuple(
            f"{label.format(low)} to {label.format(high)}"
            for low, high in itertools.pairwise(edges)
        )
        own, real = (np.digitize(each, edges[1:-1]) for each in (values, real_values))
    ratios = [
        _divide(features[own == index], real_features[real == index])
        for index in range(len(groups))
    ]
    return LabelDiversity(label.name, groups, tuple(ratios))


def _divide(features: Features, real_features: Features) -> float:
    if min(len(features), len(real_features)) < MIN_IMAGES:
        return float("nan")
    real = measure_spread(real_features)
    return measure_spread(features) / real if real else float("nan")
