"""The Frechet distance of samples that keep coming: value, confidence interval, limit of many.

Three things are wrong with the plain number. It varies with the samples drawn: the interval says
by how much. It is biased upwards by about 1/N, differently for each model: the extrapolation takes
that out. And it depends on how the samples came in batches: here it does not.

*Interval.* The infinitesimal jackknife: the standard deviation of the samples' influences over the
square root of N (see `frechet.compute_influences`).

*Extrapolation* (Chong and Forsyth 2020 fit the score against 1/N and read off the intercept). The
samples are dealt into four parts in turn. The scores of the whole, of the two halves and of the
four quarters are those of N, N/2 and N/4 samples; a + b/N + c/N^2 through their means is solved for
a. Disjoint parts make better use of the samples than random subsets, and the quadratic term matters
where N is near the number of features. The error adds to the interval what that term changes, and
below 2 d samples a share of the bias.

Both take several times as long as the value. So they are made of pieces, the influences and a score
for each part, each of which can be measured by itself, and is scaled to more samples until it is
measured anew.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import MetricError
from training.metrics.frechet import (
    FeatureStatistics,
    OptimalMap,
    compute_influences,
    compute_influences_of_few,
    compute_optimal_map,
)
from training.metrics.streaming import RunningStatistics

Part = tuple[int, ...]
# Samples are dealt into quarters 0 to 3 in turn.
QUARTERS: tuple[Part, ...] = ((0,), (1,), (2,), (3,))
HALVES: tuple[Part, ...] = ((0, 2), (1, 3))
MIN_SAMPLES = 16
# Influences are taken from so many samples, the first ones: their variance needs no more.
MAX_INFLUENCES = 1024
CONFIDENCE = 0.95
# Below 2 d samples, where parts have fewer samples than features, powers of 1/N do not follow the
# bias well: so much of it is taken for uncertain at d / 2 samples and above, and more below.
UNSURE_SHARE = 1 / 3
# Interval and bias follow 1/sqrt(N) and 1/N closely enough until N has grown so many times.
STALE_AFTER = 1.3

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """Hold a Frechet distance of N samples with its uncertainty.

    `interval` is the 95 % confidence interval of what N samples score on average. `infinite_n` is
    the extrapolation to infinitely many samples, `infinite_n_interval` its 95 % interval. Both
    regard the reference as given.
    """

    value: float
    num_samples: int
    interval: Interval
    infinite_n: float
    infinite_n_interval: Interval


@dataclass(frozen=True)
class _Finding:
    """Hold what was found at `num_samples`; it shrinks as N^-power. Nothing is found at 0."""

    value: float = 0.0
    num_samples: int = 0
    power: float = 1.0

    def scale(self, num_samples: int) -> float:
        """Return what it would be at another number of samples."""
        return self.value * (self.num_samples / num_samples) ** self.power


class FrechetEstimator:
    """Estimate the Frechet distance to a reference from features (B, d) that come in batches.

    Neither the batch size nor the moments at which an estimate is asked for change the estimate of
    N samples (up to float64 rounding). Memory is bounded, whatever N: five d x d matrices, at most
    4 d features for the time before a part has 3/4 d of them, and 1,024 features for the interval;
    three matrices more while something is measured.
    """

    def __init__(self, reference: FeatureStatistics) -> None:
        self.reference = reference
        self._whole = RunningStatistics(reference.dim)
        self._parts = [RunningStatistics(reference.dim) for _ in QUARTERS]
        self._first: list[NDArray[np.floating]] = []
        self._num_first = 0
        self._value = _Finding()
        self._error = _Finding()  # the standard error
        # How much more parts of the samples score than the whole.
        self._excesses = {part: _Finding() for part in HALVES + QUARTERS}
        self._map: OptimalMap | None = None

    @property
    def num_samples(self) -> int:
        """Return how many samples came in so far."""
        return self._whole.num_samples

    def update(self, features: NDArray[np.floating]) -> None:
        """Add features (B, d); raises MetricError on a wrong shape or values not finite."""
        start = self.num_samples
        self._whole.update(features)
        for index, part in enumerate(self._parts):
            part.update(features[(index - start) % len(QUARTERS) :: len(QUARTERS)])
        missing = MAX_INFLUENCES - self._num_first
        if missing > 0:
            self._first.append(features[:missing].copy())
            self._num_first += len(self._first[-1])

    def compute(self, is_exact: bool = True) -> Estimate:
        """Compute the estimate so far; raises MetricError below 16 samples.

        Interval and bias cost several times what the value costs. Unless ``is_exact``, they are
        scaled from earlier moments; `renew` measures them anew, a piece with each call.
        """
        check_enough(self.num_samples)
        while self.renew(1.0 if is_exact else math.inf):
            pass
        num_samples = self.num_samples
        value = self._compute_value()
        error = self._error.scale(num_samples)
        factor = _get_t_factor(num_samples)
        bias, bias_error = self._extrapolate()
        limit_error = factor * float(np.hypot(error, bias_error))
        return Estimate(
            value,
            num_samples,
            (max(0.0, value - factor * error), value + factor * error),
            value - bias,
            (value - bias - limit_error, value - bias + limit_error),
        )

    def is_stale(self, growth: float = STALE_AFTER) -> bool:
        """Tell whether a piece of interval and bias is to be measured anew; see `renew`."""
        check_enough(self.num_samples)
        oldest = min(excess.num_samples for excess in self._excesses.values())
        return self._is_outgrown(min(self._error.num_samples, oldest), growth)

    def renew(self, growth: float = STALE_AFTER) -> bool:
        """Measure the oldest piece of interval and bias anew; False if none needs it.

        One needs it if it was never measured, or N has grown at least so many times since; with a
        growth of 1, if it is not of the samples so far. One call takes about as long as a value.
        """
        if not self.is_stale(growth):
            return False
        part = min(HALVES + QUARTERS, key=lambda part: self._excesses[part].num_samples)
        if self._error.num_samples <= self._excesses[part].num_samples:
            self._renew_error(growth)
        else:
            more = self._merge(part).compute_frechet_distance(self.reference)
            self._excesses[part] = _Finding(more - self._compute_value(), self.num_samples)
        return True

    def _is_outgrown(self, num_samples: int, growth: float) -> bool:
        grown = num_samples < self.num_samples and self.num_samples >= growth * num_samples
        return num_samples == 0 or grown

    def _compute_value(self) -> float:
        """Return the distance of the samples so far, computed once for each number of them."""
        if self._value.num_samples != self.num_samples:
            value = self._whole.compute_frechet_distance(self.reference)
            self._value = _Finding(value, self.num_samples)
        return self._value.value

    def _renew_error(self, growth: float) -> None:
        """Measure the standard error: of many samples the optimal map first, the rest next time."""
        if self.num_samples <= min(self.reference.dim, MAX_INFLUENCES):
            influences = compute_influences_of_few(np.concatenate(self._first), self.reference)
            self._set_error(influences, self.num_samples)
        elif self._map is None or self._is_outgrown(self._map.num_samples, growth):
            self._map = compute_optimal_map(self._whole.statistics(), self.reference)
        else:
            influences = compute_influences(np.concatenate(self._first), self._map)
            self._set_error(influences, self._map.num_samples)
            self._map = None

    def _set_error(self, influences: NDArray[np.float64], num_samples: int) -> None:
        error = float(np.sqrt(np.square(influences).mean() / (num_samples - 1)))
        self._error = _Finding(error, num_samples, power=0.5)

    def _merge(self, part: Part) -> RunningStatistics:
        first, *others = (self._parts[index] for index in part)
        for other in others:
            first = first.merge(other)
        return first

    def _extrapolate(self) -> tuple[float, float]:
        """Return the bias from the scores of the whole, of halves and of quarters, and its error.

        Through value, half and quarter, the curve a + b/N meets a = 2 value - half, and the curve
        a + b/N + c/N^2 meets a = (8 value - 6 half + quarter) / 3.
        """
        num_samples, dim = self.num_samples, self.reference.dim
        half, quarter = (self._average_excess(parts) for parts in (HALVES, QUARTERS))
        bias = 2 * half - quarter / 3
        bias_error = bias - half
        if num_samples < 2 * dim:
            share = UNSURE_SHARE * max(1.0, np.sqrt(dim / (2 * num_samples)))
            bias_error = float(np.hypot(bias_error, share * bias))
        return bias, bias_error

    def _average_excess(self, parts: tuple[Part, ...]) -> float:
        return float(np.mean([self._excesses[part].scale(self.num_samples) for part in parts]))


def _get_t_factor(num_samples: int) -> float:
    """Return Student's t quantile of a two-sided 95 % interval."""
    from scipy.special import stdtrit  # importing SciPy takes a while

    return float(stdtrit(num_samples - 1, (1 + CONFIDENCE) / 2))


def check_enough(num_samples: int) -> None:
    """Raise MetricError below 16 samples: a quarter of fewer says nothing about the bias."""
    if num_samples < MIN_SAMPLES:
        raise MetricError(
            f"Score: found {num_samples} sample(s), expected at least {MIN_SAMPLES}; choose more"
            " samples."
        )
