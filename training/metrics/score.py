"""A score, with everything needed to judge it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics.frechet_estimator import Interval

FeatureSource = Callable[[int, int], NDArray[np.float32]]
"""Gives the features (count, d) of samples start to start + count - 1."""


@dataclass(frozen=True)
class Score:
    """Hold a score with everything needed to judge it; lower is better.

    `noise_floor` is what perfect samples of this number are expected to score against this
    reference; where it is not measured it is extrapolated, to be shown with a "~". `interval` is
    the 95 % confidence interval of what this number of samples scores on average. `infinite_n` is
    the extrapolation to infinitely many samples (Chong and Forsyth 2020), which takes the bias of
    few samples out, and `infinite_n_interval` its 95 % interval.
    """

    value: float
    score_name: str
    extractor: str
    num_samples: int
    reference: str
    noise_floor: float
    is_noise_floor_measured: bool
    interval: Interval
    infinite_n: float
    infinite_n_interval: Interval


def describe_score(score: Score) -> dict[str, Any]:
    """Return a score as plain JSON values: `score` (the value) and the other fields of Score."""
    values = asdict(score)
    for name in ("interval", "infinite_n_interval"):
        values[name] = list(values[name])
    return {"score": values.pop("value"), **values}
