"""The noise floor: what real images score against other real images of the same kind.

The expected Frechet distance of N perfect samples to statistics of M real images is not 0: both
covariances are estimates. With b = 1/N + 1/M it is close to c b once N and M exceed the number of
features (Chong and Forsyth 2020 show the 1/N; the reference brings in its own), and grows slower,
close to c b^p with p < 1, where they do not. c and p depend on the data, so they are measured.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from training.metrics.frechet import FeatureStatistics
from training.metrics.streaming import RunningStatistics, remove_samples

NoiseFloor = tuple[tuple[int, float], ...]
"""Pairs (N, score) of growing N, at least one."""

# Sample counts at which the noise floor is measured, and how often: few samples vary more.
NOISE_LADDER = {
    16: 8, 32: 8, 64: 8, 128: 8, 256: 4, 512: 4, 1000: 4, 2000: 2, 5000: 2,
    10_000: 1, 20_000: 1, 50_000: 1,
}  # fmt: skip
SPLIT_SEED = 0
# The power p is fitted to so many of the nearest measured counts.
NUM_FITTED = 3
POWER_OF_ONE_COUNT = 0.5


def measure_noise_floor(
    features: NDArray[np.floating], statistics: FeatureStatistics
) -> NoiseFloor:
    """Measure what N of the features (M, d) score against the other M - N, for N up to M / 2.

    A model is scored against all M, not M - N: each measured score is scaled from
    (1/N + 1/(M - N))^p to (1/N + 1/M)^p, which matters for the largest N only. Parts are drawn by
    a fixed seed, and the scores of a few draws averaged.
    """
    total = len(features)
    generator = np.random.default_rng(SPLIT_SEED)
    counts, scores = [], []
    for count, repeats in _choose_ladder(total // 2):
        parts = (generator.permutation(total)[:count] for _ in range(repeats))
        counts.append(count)
        scores.append(float(np.mean([_score_split(features, statistics, part) for part in parts])))
    measured_at = [1 / count + 1 / (total - count) for count in counts]
    power = _fit_power(measured_at[-NUM_FITTED:], scores[-NUM_FITTED:])
    return tuple(
        (count, float(score * ((1 / count + 1 / total) / bias) ** power))
        for count, score, bias in zip(counts, scores, measured_at, strict=True)
    )


def interpolate_noise_floor(noise_floor: NoiseFloor, num_samples: int, num_reference: int) -> float:
    """Return the noise floor at a sample count, against a reference of `num_reference` images.

    Between measured counts the score's logarithm is linear in log N. Outside of them the nearest
    score is scaled by (1/N + 1/M)^p, p fitted to the nearest three: an estimate.
    """
    counts = np.array([count for count, _ in noise_floor], dtype=np.float64)
    scores = np.array([score for _, score in noise_floor])
    nearest = float(np.clip(num_samples, counts[0], counts[-1]))
    score = float(np.exp(np.interp(np.log(nearest), np.log(counts), _log(scores))))
    fitted = slice(NUM_FITTED) if num_samples < counts[0] else slice(-NUM_FITTED, None)
    power = _fit_power(1 / counts[fitted] + 1 / num_reference, scores[fitted])
    ratio = (1 / num_samples + 1 / num_reference) / (1 / nearest + 1 / num_reference)
    return score * float(ratio**power)


def _fit_power(
    biases: Sequence[float] | NDArray[np.float64], scores: Sequence[float] | NDArray[np.float64]
) -> float:
    """Fit p in score = c bias^p by least squares of the logarithms, kept within 0 to 1."""
    if len(biases) < 2:
        return POWER_OF_ONE_COUNT
    slope = np.polyfit(np.log(biases), _log(scores), deg=1)[0]
    return float(np.clip(slope, 0, 1))


def _log(scores: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Take logarithms, of 0 too: copies of one image score 0 against each other."""
    return np.log(np.maximum(scores, 1e-12))


def _choose_ladder(largest: int) -> Iterator[tuple[int, int]]:
    """Yield (count, repeats) up to `largest`, which comes last whether or not it is a rung."""
    last = 0
    for count, repeats in NOISE_LADDER.items():
        if count <= largest:
            yield count, repeats
            last = count
    if largest > last:
        yield largest, next((r for count, r in NOISE_LADDER.items() if count > largest), 1)


def _score_split(
    features: NDArray[np.floating], whole: FeatureStatistics, chosen: NDArray[np.int64]
) -> float:
    part = RunningStatistics(features.shape[1])
    part.update(features[chosen])
    return part.compute_frechet_distance(remove_samples(whole, part.statistics()))
