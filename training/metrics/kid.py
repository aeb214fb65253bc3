"""The kernel distance (KID) between two sets of features, and its standard error.

Binkowski et al. 2018: the unbiased estimate of the squared maximum mean discrepancy with the kernel
k(x, y) = (x.y / d + 1)^3. Unlike a Frechet distance its expectation does not depend on how many
samples there are: it is 0 for perfect ones, so single values may fall below 0.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import MetricError

FloatArray = NDArray[np.float64]
FloatFeatures = NDArray[np.floating]

OFFSET = 1.0
BLOCK_ROWS = 1024
MIN_SAMPLES = 3


@dataclass(frozen=True)
class KernelDistance:
    """Hold the unbiased squared discrepancy of two sets, and its standard error."""

    value: float
    standard_error: float


def compute_kid(
    features: FloatFeatures,
    real: FloatFeatures,
    real_sums: FloatArray | None = None,
    block_rows: int = BLOCK_ROWS,
) -> KernelDistance:
    """Compute the KID of features (N, d) and (M, d), N and M at least 3, in float64.

    All pairs count; no subsets are drawn, so nothing is random. Kernels are made `block_rows`
    squared at a time. The standard error is the delete-one jackknife of a two-sample U-statistic
    (Arvesen 1969), in closed form from the kernels' row sums: both sets count as samples. For
    perfect samples, where the U-statistic degenerates, it errs to the large side. `real_sums` is
    `sum_kernels(real)`, for who compares with the same set again.
    """
    _check_shapes(features, real)
    own = sum_kernels(features, block_rows)  # (N,)
    real_own = sum_kernels(real, block_rows) if real_sums is None else real_sums  # (M,)
    cross, real_cross = _sum_between(features, real, block_rows)  # (N,), (M,)
    num, num_real = len(features), len(real)
    value = _average_pairs(own) + _average_pairs(real_own) - 2 * cross.sum() / (num * num_real)
    variance = _jackknife_variance(own, cross, num_real)
    variance += _jackknife_variance(real_own, real_cross, num)
    return KernelDistance(float(value), float(np.sqrt(variance)))


def _jackknife_variance(own: FloatArray, cross: FloatArray, num_others: int) -> float:
    """Return the part of the variance that comes from one of the two sets.

    Without its i-th sample the statistic's two terms in this set lose that sample's row and
    column; the third term stays and cancels in the differences.
    """
    num = len(own)
    within = (own.sum() - 2 * own) / ((num - 1) * (num - 2))
    between = (cross.sum() - cross) / ((num - 1) * num_others)
    left_out = within - 2 * between  # (num,)
    return float((num - 1) / num * np.square(left_out - left_out.mean()).sum())


def _average_pairs(sums: FloatArray) -> float:
    return float(sums.sum() / (len(sums) * (len(sums) - 1)))


def sum_kernels(features: FloatFeatures, block_rows: int = BLOCK_ROWS) -> FloatArray:
    """Sum each sample's kernels to the other samples of its set: (N,). Each pair is made once."""
    sums = np.zeros(len(features))
    blocks = list(_iter_blocks(len(features), block_rows))
    for rows, columns in itertools.combinations_with_replacement(blocks, 2):
        kernels = _compute_kernels(features[rows], features[columns])
        if rows == columns:
            np.fill_diagonal(kernels, 0)
        else:
            sums[columns] += kernels.sum(axis=0)
        sums[rows] += kernels.sum(axis=1)
    return sums


def _sum_between(
    features: FloatFeatures, real: FloatFeatures, block_rows: int
) -> tuple[FloatArray, FloatArray]:
    sums, real_sums = np.zeros(len(features)), np.zeros(len(real))
    for rows in _iter_blocks(len(features), block_rows):
        for columns in _iter_blocks(len(real), block_rows):
            kernels = _compute_kernels(features[rows], real[columns])
            sums[rows] += kernels.sum(axis=1)
            real_sums[columns] += kernels.sum(axis=0)
    return sums, real_sums


def _compute_kernels(here: FloatFeatures, there: FloatFeatures) -> FloatArray:
    """Compute the kernels (B, C); in float64, since a KID is the small difference of large sums."""
    products = here.astype(np.float64) @ there.astype(np.float64).T
    products /= here.shape[1]
    products += OFFSET
    kernels: FloatArray = products * products * products
    return kernels


def _iter_blocks(count: int, block_rows: int) -> Iterator[slice]:
    for start in range(0, count, block_rows):
        yield slice(start, min(start + block_rows, count))


def _check_shapes(features: FloatFeatures, real: FloatFeatures) -> None:
    if features.ndim != 2 or real.ndim != 2 or features.shape[1] != real.shape[1]:
        raise MetricError(
            f"KID: found features of shapes {features.shape} and {real.shape}, expected (N, d) and"
            " (M, d); both must come from one extractor."
        )
    if min(len(features), len(real)) < MIN_SAMPLES:
        raise MetricError(
            f"KID: found {len(features)} samples and {len(real)} real images, expected at least"
            f" {MIN_SAMPLES} of each, since its standard error leaves one out; use more."
        )
