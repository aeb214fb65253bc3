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
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import MetricError
from training.metrics.frechet import (
    FeatureStatistics,
    compute_influences,
    compute_influences_of_few,
)
from training.metrics.streaming import RunningStatistics

NUM_PARTS = 4
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
class _Spread:
    """Hold what was found at `num_samples`, all of which shrinks as samples come in."""

    num_samples: int
    standard_error: float
    bias: float
    bias_error: float


class FrechetEstimator:
    """Estimate the Frechet distance to a reference from features (B, d) that come in batches.

    Neither the batch size nor the moments at which an estimate is asked for change the estimate of
    N samples (up to float64 rounding). Memory is bounded, whatever N: five d x d matrices, at most
    5 d features for the time before a part has d of them, and 1,024 features for the interval;
    seven matrices more while interval and bias are measured anew.
    """

    def __init__(self, reference: FeatureStatistics) -> None:
        self.reference = reference
        self._whole = RunningStatistics(reference.dim)
        self._parts = [RunningStatistics(reference.dim) for _ in range(NUM_PARTS)]
        self._first: list[NDArray[np.floating]] = []
        self._num_first = 0
        self._spread: _Spread | None = None
        self._renewal: Iterator[_Spread | None] | None = None

    @property
    def num_samples(self) -> int:
        """Return how many samples came in so far."""
        return self._whole.num_samples

    def update(self, features: NDArray[np.floating]) -> None:
        """Add features (B, d); raises MetricError on a wrong shape or values not finite."""
        start = self.num_samples
        self._whole.update(features)
        for index, part in enumerate(self._parts):
            part.update(features[(index - start) % NUM_PARTS :: NUM_PARTS])
        missing = MAX_INFLUENCES - self._num_first
        if missing > 0:
            self._first.append(features[:missing].copy())
            self._num_first += len(self._first[-1])

    def compute(self, is_exact: bool = True) -> Estimate:
        """Compute the estimate so far; raises MetricError below 16 samples.

        Interval and bias cost several times what the value costs. Unless ``is_exact``, they are
        scaled from an earlier moment, and once there are 1.3 times as many samples they are
        measured anew, a piece with each call, so that no call takes long.
        """
        check_enough(self.num_samples)
        value = self._whole.compute_frechet_distance(self.reference)
        num_samples = self.num_samples
        known = self._spread
        if known is None or (is_exact and known.num_samples != num_samples):
            known = self._spread = _finish(self._measure_spread(value))
            self._renewal = None
        elif not is_exact:
            known = self._spread = self._renew(known, value)
        shrink = known.num_samples / num_samples
        error = known.standard_error * float(np.sqrt(shrink))
        factor = _get_t_factor(num_samples)
        limit = value - known.bias * shrink
        limit_error = factor * float(np.hypot(error, known.bias_error * shrink))
        return Estimate(
            value,
            num_samples,
            (max(0.0, value - factor * error), value + factor * error),
            limit,
            (limit - limit_error, limit + limit_error),
        )

    def _renew(self, known: _Spread, value: float) -> _Spread:
        """Measure a piece of the spread if it is stale; all of it where that is quick."""
        if self._renewal is None and self.num_samples < STALE_AFTER * known.num_samples:
            return known
        self._renewal = self._renewal or self._measure_spread(value)
        if self.num_samples <= self.reference.dim // 2:
            found: _Spread | None = _finish(self._renewal)
        else:
            found = next(self._renewal)
        if found is None:
            return known
        self._renewal = None
        return found

    def _measure_spread(self, value: float) -> Iterator[_Spread | None]:
        """Yield None after each piece of the work, then the spread of the samples at the start."""
        num_samples = self.num_samples
        features = np.concatenate(self._first)
        statistics = None if num_samples <= self._max_few else self._whole.statistics()
        first, second, third, fourth = self._parts
        halves = [first.merge(third), second.merge(fourth)]
        quarters = [part.merge(RunningStatistics(part.dim)) for part in self._parts]  # copies
        yield None
        if statistics is None:
            influences = compute_influences_of_few(features, self.reference)
        else:
            influences = compute_influences(features, statistics, self.reference)
        error = float(np.sqrt(np.square(influences).mean() / (num_samples - 1)))
        scores = []
        for part in (*halves, *quarters):
            yield None
            scores.append(part.compute_frechet_distance(self.reference))
        half, quarter = float(np.mean(scores[:2])), float(np.mean(scores[2:]))
        yield _extrapolate(num_samples, self.reference.dim, error, (value, half, quarter))

    @property
    def _max_few(self) -> int:
        """Return up to how many samples the influences come from all features, without moments."""
        return min(self.reference.dim, MAX_INFLUENCES)


def _finish(steps: Iterator[_Spread | None]) -> _Spread:
    *_, spread = steps
    assert spread is not None
    return spread


def _extrapolate(
    num_samples: int, dim: int, error: float, scores: tuple[float, float, float]
) -> _Spread:
    """Find the bias from the scores of the whole, of halves and of quarters (means of each)."""
    value, half, quarter = scores
    linear = 2 * value - half
    quadratic = (8 * value - 6 * half + quarter) / 3
    bias, bias_error = value - quadratic, quadratic - linear
    if num_samples < 2 * dim:
        share = UNSURE_SHARE * max(1.0, np.sqrt(dim / (2 * num_samples)))
        bias_error = float(np.hypot(bias_error, share * bias))
    return _Spread(num_samples, error, bias, bias_error)


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
