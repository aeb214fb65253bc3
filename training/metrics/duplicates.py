"""Near-duplicates among samples, and how many different images a generator makes.

The birthday paradox (Arora and Zhang 2017; Arora, Risteski and Zhang 2018): of N draws from S
equally likely images about N^2 / 2S pairs are of one image. So the share of pairs that are alike
is 1 / S; with unequal shares p it is the sum of p^2, and S the effective number of images (the
inverse Simpson index). They let people judge which pairs are alike; here distances are held
against those of real images. A pair is alike if it is closer than one real pair in 100,000.

Two corrections keep that from accusing a generator of what it did not do:

- Blurred samples lie closer together as a whole, without any of them being a duplicate. So the
  distance shrinks with the samples' median pair distance, to half at the least (of very few
  images most pairs are duplicates, and the median with them).
- Of few images that each vary a little, most pairs of one image may lie beyond that distance. A
  wider one is taken, up to that of one real pair in 100, if the pairs so found are a group of
  their own: many more than real images have, and few of them at the outer rim. In a cloud
  without such groups, the share grows tenfold from each distance to the next, as in real images.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from training.metrics.neighbours import BLOCK_ROWS, FloatFeatures, iter_distance_blocks
from training.metrics.real_features import RealFeatures, measure_pair_distances

LEVEL_SHARES = (1e-5, 1e-4, 1e-3, 1e-2)
MEDIAN_SHARE = 0.5
MAX_SAMPLES = 5000
# The samples' median pair distance is taken from these, so that it no longer moves later.
MAX_FOR_MEDIAN = 1000
MIN_SCALE = 0.5
# A wider distance is taken if it has this many times as many pairs as real images have ...
MIN_EXCESS = 20.0
# ... and at most this many times as many as the next smaller distance.
MAX_GROWTH = 2.0
NUM_CLOSEST = 8
TAIL = 0.025  # on either side of a 95 % interval

IndexPair = tuple[int, int, float]


@dataclass(frozen=True)
class PairCount:
    """Count the pairs closer than `distance`; of real pairs the share `real_share` is.

    `dispersion` is the variance of the count over that of a Poisson count, at least 1.
    """

    real_share: float
    distance: float
    num_close: int
    num_pairs: int
    dispersion: float = 1.0


@dataclass(frozen=True)
class SupportSize:
    """Estimate the effective number of different images, with a 95 % interval.

    `value` is None where the pairs are no more than among real images, and the upper end of the
    interval where nothing bounds it: then only the lower end means something.
    """

    value: float | None
    interval: tuple[float, float | None]


@dataclass(frozen=True)
class DuplicateMeasure:
    """Hold the pairs of N samples: counts at each distance, the one judged by, and the support.

    `closest` names pairs (i, j, distance), the closest first, no sample in more than one.
    """

    num_samples: int
    levels: tuple[PairCount, ...]
    chosen: PairCount
    support: SupportSize
    closest: tuple[IndexPair, ...]


def measure_duplicates(features: FloatFeatures, real: RealFeatures) -> DuplicateMeasure | None:
    """Measure near-duplicates among samples (N, d), of which the first 5,000 are used.

    None below 2 samples, or where there are too few real images to know any distance. The time
    grows with N^2: 0.1 s at 1,000 on two free cores.
    """
    used = features[:MAX_SAMPLES]
    known = dict(real.pair_quantiles)
    shares = [share for share in LEVEL_SHARES if share in known]
    if len(used) < 2 or not shares:
        return None
    scale = compute_scale(used, known.get(MEDIAN_SHARE, real.mean_pair_distance))
    levels, closest = _count_pairs(used, [(share, known[share] * scale) for share in shares])
    chosen = choose_level(levels)
    return DuplicateMeasure(len(used), levels, chosen, estimate_support(chosen), closest)


def compute_scale(features: FloatFeatures, real_median: float) -> float:
    """Return the samples' median pair distance over the real one's, kept within 0.5 to 1."""
    median = float(np.median(measure_pair_distances(features[:MAX_FOR_MEDIAN])))
    return float(np.clip(median / max(real_median, 1e-12), MIN_SCALE, 1.0))


def choose_level(levels: tuple[PairCount, ...]) -> PairCount:
    """Choose the widest distance whose pairs are a group of their own, else the smallest."""
    for inner, outer in reversed(list(itertools.pairwise(levels))):
        is_many = outer.num_close >= MIN_EXCESS * outer.real_share * outer.num_pairs
        if is_many and outer.num_close <= MAX_GROWTH * inner.num_close:
            return outer
    return levels[0]


def estimate_support(count: PairCount) -> SupportSize:
    """Estimate the support from a count of close pairs, less the share that real pairs have.

    The interval is Poisson's (Garwood 1936) with the count's dispersion. Without more close pairs
    than real images have, the lower end takes all of them for duplicates.
    """
    low, high = (end / count.num_pairs for end in compute_count_interval(count))
    if low <= count.real_share:
        return SupportSize(None, (max(1.0, 1 / high), None))
    value = _invert(count.num_close / count.num_pairs, count.real_share)
    return SupportSize(value, (_invert(high, count.real_share), _invert(low, count.real_share)))


def compute_count_interval(count: PairCount) -> tuple[float, float]:
    """Compute the 95 % interval of the expected number of close pairs."""
    effective = count.num_close / count.dispersion
    low = float(gammaincinv(effective, TAIL)) if effective > 0 else 0.0
    high = float(gammaincinv(effective + 1, 1 - TAIL))
    return low * count.dispersion, min(high * count.dispersion, float(count.num_pairs))


def _invert(share: float, real_share: float) -> float:
    return max(1.0, (1 - real_share) / (share - real_share))


def _count_pairs(
    features: FloatFeatures, levels: list[tuple[float, float]]
) -> tuple[tuple[PairCount, ...], tuple[IndexPair, ...]]:
    """Count close pairs at each level, and find the closest ones, a block of rows at a time."""
    num_samples = len(features)
    degrees = np.zeros((len(levels), num_samples), dtype=np.int64)
    nearest = np.full(num_samples, np.inf, dtype=np.float32)
    partners = np.zeros(num_samples, dtype=np.int64)
    for start in range(0, num_samples, BLOCK_ROWS):
        rows = features[start : start + BLOCK_ROWS]
        _, distances = next(iter_distance_blocks(rows, features[start:]))  # (B, N - start)
        height = len(rows)
        distances[:, :height][np.tri(height, dtype=bool)] = np.inf  # each pair once
        nearest[start : start + height] = distances.min(axis=1)
        partners[start : start + height] = start + distances.argmin(axis=1)
        for level, (_, limit) in enumerate(levels):
            is_close = distances < limit
            degrees[level, start : start + height] += is_close.sum(axis=1)
            degrees[level, start:] += is_close.sum(axis=0)
    counts = (_build_count(*level, row) for level, row in zip(levels, degrees, strict=True))
    return tuple(counts), _choose_closest(nearest, partners)


def _build_count(real_share: float, distance: float, degrees: NDArray[np.int64]) -> PairCount:
    """Build a count from the number of close partners of each sample (N,).

    The share of close pairs is a U-statistic: its variance (Hoeffding 1948) has, beside the term
    of independent pairs, one for samples that differ in their number of partners.
    """
    num_samples = len(degrees)
    num_pairs = num_samples * (num_samples - 1) // 2
    num_close = int(degrees.sum()) // 2
    if num_close == 0 or num_samples < 3:
        return PairCount(real_share, distance, num_close, num_pairs)
    share = num_close / num_pairs
    chance = share * (1 - share)
    between = np.var(degrees / (num_samples - 1), ddof=1) - chance / (num_samples - 1)
    variance = 4 * max(0.0, float(between)) / num_samples + chance / num_pairs
    dispersion = max(1.0, variance * num_pairs / share)
    return PairCount(real_share, distance, num_close, num_pairs, dispersion)


def _choose_closest(
    nearest: NDArray[np.float32], partners: NDArray[np.int64]
) -> tuple[IndexPair, ...]:
    """Choose the closest pairs that share no sample, from each one's nearest later sample."""
    chosen: list[IndexPair] = []
    taken: set[int] = set()
    for first in np.argsort(nearest, kind="stable"):
        pair = int(first), int(partners[first])
        if len(chosen) == NUM_CLOSEST or not np.isfinite(nearest[first]):
            break
        if taken.isdisjoint(pair):
            chosen.append((*pair, float(nearest[first])))
            taken.update(pair)
    return tuple(chosen)
