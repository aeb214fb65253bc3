"""The noise floor: what real images score against other real images of the same kind.

The expected Frechet distance of N perfect samples to statistics of M real images is not 0 but
close to c (1/N + 1/M), because both covariances are estimates (Chong and Forsyth 2020 show the
1/N; the statistics of the reference bring in theirs the same way). c depends on the data, so it is
measured.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.metrics.frechet import FeatureStatistics
from training.metrics.streaming import RunningStatistics, remove_samples

NoiseFloor = tuple[tuple[int, float], ...]
"""Pairs (N, score) of growing N, at least one."""

# Sample counts at which the noise floor is measured, and how often: few samples vary more.
NOISE_LADDER = {
    64: 8, 128: 8, 256: 4, 512: 4, 1000: 2, 2000: 2, 5000: 1, 10_000: 1, 20_000: 1, 50_000: 1,
}  # fmt: skip
SPLIT_SEED = 0


def measure_noise_floor(
    features: NDArray[np.floating], statistics: FeatureStatistics
) -> NoiseFloor:
    """Measure what N of the features (M, d) score against the other M - N, for N up to M / 2.

    The other M - N are fewer than the M a model is scored against, which by c (1/N + 1/(M - N))
    makes the measured score too high; it is reduced to (1/N + 1/M). Parts are drawn by a fixed
    seed, and small N are the mean of a few draws.
    """
    total = len(features)
    generator = np.random.default_rng(SPLIT_SEED)
    floor = []
    for count, repeats in _choose_ladder(total // 2):
        scores = [
            _score_split(features, statistics, generator.permutation(total)[:count])
            for _ in range(repeats)
        ]
        reduction = (1 / count + 1 / total) / (1 / count + 1 / (total - count))
        floor.append((count, float(np.mean(scores)) * reduction))
    return tuple(floor)


def _choose_ladder(largest: int) -> Iterator[tuple[int, int]]:
    """Yield (count, repeats) up to `largest`, which comes last whether or not it is a rung."""
    last = 0
    for count, repeats in NOISE_LADDER.items():
        if count <= largest:
            yield count, repeats
            last = count
    if largest > last:
        yield largest, next(r for count, r in NOISE_LADDER.items() if count > largest)


def _score_split(
    features: NDArray[np.floating], whole: FeatureStatistics, chosen: NDArray[np.int64]
) -> float:
    part = RunningStatistics(features.shape[1])
    part.update(features[chosen])
    return part.compute_frechet_distance(remove_samples(whole, part.statistics()))


def interpolate_noise_floor(noise_floor: NoiseFloor, num_samples: int, num_reference: int) -> float:
    """Return the noise floor at a sample count, against a reference of `num_reference` images.

    Between measured counts the score's logarithm is linear in log N. Outside of them the nearest
    score is scaled by (1/N + 1/M), the first-order law of the bias.
    """
    counts = np.array([count for count, _ in noise_floor], dtype=np.float64)
    scores = np.array([max(score, 1e-12) for _, score in noise_floor])
    nearest = float(np.clip(num_samples, counts[0], counts[-1]))
    score = float(np.exp(np.interp(np.log(nearest), np.log(counts), np.log(scores))))
    return score * (1 / num_samples + 1 / num_reference) / (1 / nearest + 1 / num_reference)
