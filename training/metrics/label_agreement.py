"""How well the labels read off images agree with those asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.labels import ClassLabel, Label, LabelLayout


@dataclass(frozen=True, eq=False)
class LabelAgreement:
    """Hold, for one label, how far what was read is what was asked for.

    ``value`` is the share of images whose class is read right, or the rank correlation (Spearman)
    of asked and read numbers, whose mean absolute error, in the label's unit, is ``error``.
    ``confusion`` counts images by class asked for and class read, (C, C); None for numbers.
    """

    name: str
    value: float
    num_images: int
    error: float | None = None
    confusion: NDArray[np.int64] | None = None

    @property
    def shares(self) -> tuple[float, ...]:
        """Return the share read right of each class asked for; nan where none was."""
        if self.confusion is None:
            return ()
        totals = self.confusion.sum(axis=1)
        right = np.diagonal(self.confusion)
        return tuple(
            float(count / total) if total else float("nan")
            for count, total in zip(right, totals, strict=True)
        )

    @property
    def counts(self) -> tuple[int, ...]:
        """Return how many images were asked to be of each class; none for numbers."""
        return () if self.confusion is None else tuple(self.confusion.sum(axis=1).tolist())

    def describe(self) -> dict[str, Any]:
        """Return the numbers as plain JSON values, without the confusion."""
        facts = {"value": self.value, "num_images": self.num_images}
        return facts if self.error is None else {**facts, "error": self.error}


def format_agreement(facts: Mapping[str, Any]) -> str:
    """Write what `LabelAgreement.describe` returned: "98.2 %", or "rank correlation 0.81, ..."."""
    if facts.get("error") is None:
        return f"{100 * facts['value']:.1f} %"
    return f"rank correlation {facts['value']:.2f}, mean error {facts['error']:.3g}"


def measure_agreement(
    layout: LabelLayout, asked: NDArray[np.floating], read: NDArray[np.floating]
) -> tuple[LabelAgreement, ...]:
    """Compare rows asked for with rows read, both (N, L), label by label."""
    pairs = zip(layout, asked.T, read.T, strict=True)
    return tuple(_compare(label, wanted, found) for label, wanted, found in pairs)


def _compare(
    label: Label, asked: NDArray[np.floating], read: NDArray[np.floating]
) -> LabelAgreement:
    if isinstance(label, ClassLabel):
        confusion = np.zeros((label.size, label.size), np.int64)
        np.add.at(confusion, (asked.astype(int), read.astype(int)), 1)
        share = float(np.trace(confusion) / len(asked))
        return LabelAgreement(label.name, share, len(asked), confusion=confusion)
    error = float(np.abs(asked - read).mean())
    return LabelAgreement(label.name, correlate_ranks(asked, read), len(asked), error=error)


def correlate_ranks(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return Spearman's rank correlation; 0 where one of them does not vary: it tells nothing."""
    from scipy.stats import spearmanr  # here, since importing it takes a second

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first, second).statistic)
