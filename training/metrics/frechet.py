"""The Frechet distance between two sets of features: pure functions of their statistics.

Heusel et al. 2017 compare generated with real images by the squared Frechet (2-Wasserstein)
distance between the Gaussians fitted to their features:

    |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

The product S1 S2 is not symmetric. With S2 = F F^T, its eigenvalues other than 0 are those of
F^T S1 F, which is symmetric and positive semi-definite, so everything here stays real and works on
singular covariances too: small negative eigenvalues are rounding and count as 0. A Cholesky factor
F takes a sixth of the time of the symmetric root S2^(1/2) and serves as well; since it is
triangular, and half of the product is enough, blocks of it take less than half of the time of two
plain products.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from training.cores import on_one_blas_thread
from training.errors import MetricError

FloatArray = NDArray[np.float64]
# Square roots of eigenvalues below this share of the largest are rounding.
NULL_ROOT = 1e-10
BLOCK_SIZE = 256


@dataclass(frozen=True, eq=False)
class CovarianceFactor:
    """Hold a factor F (d, r) of a covariance F F^T of rank r: a Cholesky factor with pivots.

    `lower` (d, d) is triangular in Fortran's order, its columns from r on 0; its row i is F's row
    `pivots[i]`. The pivots give singular covariances a factor too.
    """

    lower: FloatArray
    pivots: NDArray[np.integer]
    rank: int

    @property
    def rows(self) -> FloatArray:
        """Return F as it is, (d, r)."""
        factor: FloatArray = np.empty((len(self.lower), self.rank))
        factor[self.pivots] = self.lower[:, : self.rank]
        return factor

    def reduce(self, covariance: FloatArray) -> FloatArray:
        """Compute F^T C F (r, r) of a covariance C (d, d); only its lower triangle is filled in."""
        ordered, factor = covariance[np.ix_(self.pivots, self.pivots)], self.lower[:, : self.rank]
        reduced: FloatArray = np.zeros((self.rank, self.rank))
        # LAPACK's own routine for this is not quicker, and lets no other thread of Python go on.
        for start in range(0, self.rank, BLOCK_SIZE):
            columns = slice(start, start + BLOCK_SIZE)
            product = ordered[start:, start:] @ factor[start:, columns]  # above, F is 0
            for row in range(start, self.rank, BLOCK_SIZE):
                rows = slice(row, row + BLOCK_SIZE)
                reduced[rows, columns] = factor[row:, rows].T @ product[row - start :]
        return reduced


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Hold mean (d,) and unbiased covariance (d, d), both float64, of `num_samples` features."""

    mean: FloatArray
    covariance: FloatArray
    num_samples: int

    @property
    def dim(self) -> int:
        """Return d, the number of features per sample."""
        return int(self.mean.shape[0])

    @cached_property
    def covariance_factor(self) -> CovarianceFactor:
        """Compute a factor of the covariance, once."""
        return _factorise(self.covariance)


@dataclass(frozen=True, eq=False)
class OptimalMap:
    """Hold the optimal map between two Gaussians, from that of `num_samples` samples.

    It takes x to m2 + T (x - m1), T = A A^T (Rippl, Munk and Sturm 2016). `mean` (d,) is m1,
    `shift` (d,) is m1 - m2, and A is the factor F of S2 times `turn` (r, r).
    """

    mean: FloatArray
    shift: FloatArray
    factor: CovarianceFactor
    turn: FloatArray
    num_samples: int


@on_one_blas_thread
def compute_statistics(features: NDArray[np.floating]) -> FeatureStatistics:
    """Compute the statistics of features (N, d), N >= 2, in two float64 passes."""
    _check_num_samples(len(features))
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    return FeatureStatistics(mean, centred.T @ centred / (len(features) - 1), len(features))


@on_one_blas_thread
def compute_frechet_distance(samples: FeatureStatistics, reference: FeatureStatistics) -> float:
    """Compute the squared Frechet distance; 0 for equal statistics, never negative.

    The value is symmetric, the cost is not: the factor of the reference's covariance is kept with
    it, so many samples against one reference are cheap.
    """
    _check_dims(samples.dim, reference.dim)
    reduced = reference.covariance_factor.reduce(samples.covariance)
    trace = _sum_roots(np.linalg.eigvalsh(reduced))
    return _combine(samples.mean, float(np.trace(samples.covariance)), reference, trace)


@on_one_blas_thread
def compute_frechet_distance_from_features(
    features: NDArray[np.floating], reference: FeatureStatistics
) -> float:
    """Compute the squared Frechet distance of features (N, d), N >= 2, to a reference.

    Below N = d the sample covariance A^T A, with A the centred features over sqrt(N - 1), has at
    most N - 1 non-zero eigenvalues. A^T A S has the same ones as A S A^T, an (N, N) matrix, which
    is quicker and needs no factor of S. From N = d on this is `compute_frechet_distance`.
    """
    num_samples, dim = features.shape
    if num_samples >= dim:
        return compute_frechet_distance(compute_statistics(features), reference)
    _check_num_samples(num_samples)
    _check_dims(dim, reference.dim)
    mean = features.mean(axis=0, dtype=np.float64)
    scaled = (features - mean) / np.sqrt(num_samples - 1)  # (N, d)
    trace = _sum_roots(np.linalg.eigvalsh(scaled @ reference.covariance @ scaled.T))  # of (N, N)
    return _combine(mean, float(np.square(scaled).sum()), reference, trace)


@on_one_blas_thread
def compute_optimal_map(samples: FeatureStatistics, reference: FeatureStatistics) -> OptimalMap:
    """Compute the optimal map from the samples' Gaussian to the reference's; needs N > d."""
    _check_dims(samples.dim, reference.dim)
    factor = reference.covariance_factor
    eigenvalues, vectors = np.linalg.eigh(factor.reduce(samples.covariance))
    roots = np.sqrt(eigenvalues.clip(min=0))
    is_null = roots <= NULL_ROOT * roots.max(initial=0)  # no sample varies along these
    vectors *= np.where(is_null, 0, 1 / np.sqrt(np.where(is_null, 1, roots)))
    shift = samples.mean - reference.mean
    return OptimalMap(samples.mean, shift, factor, vectors, samples.num_samples)


@on_one_blas_thread
def compute_influences(features: NDArray[np.floating], optimal_map: OptimalMap) -> FloatArray:
    """Compute how each of features (n, d) bears on the distance of the samples to the reference.

    The influence of x is the derivative of the distance as the samples' distribution moves towards
    x: 2 (m1 - m2)(x - m1) + (x - m1)^T (I - T) (x - m1), less its mean, with T of the optimal map
    from the samples to the reference. Over N samples the variance of the influences, divided by N,
    is that of the distance (the infinitesimal jackknife of Jaeckel 1972). See
    `compute_influences_of_few` for N <= d.
    """
    centred = features - optimal_map.mean  # (n, d)
    turned = centred @ optimal_map.factor.rows @ optimal_map.turn  # (n, r)
    mapped = np.square(turned).sum(axis=1)  # x^T T x
    return _combine_influences(centred, optimal_map.shift, mapped)


@on_one_blas_thread
def compute_influences_of_few(
    features: NDArray[np.floating], reference: FeatureStatistics
) -> FloatArray:
    """Compute the influences of all N features (N, d) of a sample with N <= d.

    With K the (N, N) matrix Xc S Xc^T of the centred features, x_i^T T x_i is the i-th diagonal
    element of (N K)^(1/2): T itself, which would be singular, is not needed.
    """
    _check_num_samples(len(features))
    _check_dims(features.shape[1], reference.dim)
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    eigenvalues, vectors = np.linalg.eigh(centred @ reference.covariance @ centred.T)
    roots = np.sqrt(eigenvalues.clip(min=0) * len(features))
    mapped = np.square(vectors) @ roots
    return _combine_influences(centred, mean - reference.mean, mapped)


def _combine_influences(centred: FloatArray, delta: FloatArray, mapped: FloatArray) -> FloatArray:
    influences = 2 * centred @ delta + np.square(centred).sum(axis=1) - mapped
    influences -= influences.mean()
    return influences


def _combine(
    mean: FloatArray, variance: float, reference: FeatureStatistics, trace: float
) -> float:
    difference = mean - reference.mean
    total = difference @ difference + variance + np.trace(reference.covariance) - 2 * trace
    return max(0.0, float(total))


@on_one_blas_thread
def _factorise(covariance: FloatArray) -> CovarianceFactor:
    from scipy.linalg.lapack import dpstrf  # importing SciPy takes a while

    packed, pivots, rank, _ = dpstrf(covariance, lower=1)
    lower = np.asfortranarray(np.tril(packed))
    lower[:, rank:] = 0
    return CovarianceFactor(lower, pivots - 1, int(rank))


def _sum_roots(eigenvalues: NDArray[np.floating]) -> float:
    return float(np.sqrt(eigenvalues.clip(min=0)).sum())


def _check_num_samples(num_samples: int) -> None:
    if num_samples < 2:
        raise MetricError(
            f"Frechet distance: found {num_samples} sample(s), expected at least 2, since a"
            " covariance needs them; ask for more samples."
        )


def _check_dims(found: int, expected: int) -> None:
    if found != expected:
        raise MetricError(
            f"Frechet distance: the samples have {found} features each, the reference {expected};"
            " both must come from the same extractor."
        )
