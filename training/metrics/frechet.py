"""The Frechet distance between two sets of features: pure functions of their statistics.

Heusel et al. 2017 compare generated with real images by the squared Frechet (2-Wasserstein)
distance between the Gaussians fitted to their features:

    |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

The product S1 S2 is not symmetric. With S2 = F F^T, its eigenvalues other than 0 are those of
F^T S1 F, which is symmetric and positive semi-definite, so everything here stays real and works on
singular covariances too: small negative eigenvalues are rounding and count as 0. A Cholesky factor
F takes a sixth of the time of the symmetric root S2^(1/2) and serves as well.
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
    def covariance_factor(self) -> FloatArray:
        """Compute a factor F (d, r) of the covariance F F^T, of rank r <= d, once.

        It is a Cholesky factor with pivots, so that singular covariances have one too.
        """
        return _factorise(self.covariance)


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
    factor = reference.covariance_factor
    trace = _sum_roots(np.linalg.eigvalsh(factor.T @ samples.covariance @ factor))
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
def compute_influences(
    features: NDArray[np.floating], samples: FeatureStatistics, reference: FeatureStatistics
) -> FloatArray:
    """Compute how each of features (n, d) bears on the distance of `samples` to the reference.

    The influence of x is the derivative of the distance as the samples' distribution moves towards
    x: 2 (m1 - m2)(x - m1) + (x - m1)^T (I - T) (x - m1), less its mean, T being the optimal map
    from the samples' Gaussian to the reference's (Rippl, Munk and Sturm 2016). Over N samples the
    variance of the influences, divided by N, is that of the distance (the infinitesimal jackknife
    of Jaeckel 1972). Needs N > d; see `compute_influences_of_few` for fewer.
    """
    _check_dims(samples.dim, reference.dim)
    factor = reference.covariance_factor
    eigenvalues, vectors = np.linalg.eigh(factor.T @ samples.covariance @ factor)
    roots = np.sqrt(eigenvalues.clip(min=0))
    is_null = roots <= NULL_ROOT * roots.max(initial=0)  # no sample varies along these
    scale = np.where(is_null, 0, 1 / np.where(is_null, 1, roots))
    centred = features - samples.mean  # (n, d)
    mapped = np.square(centred @ (factor @ vectors)) @ scale  # x^T T x
    return _combine_influences(centred, samples.mean - reference.mean, mapped)


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
def _factorise(covariance: FloatArray) -> FloatArray:
    from scipy.linalg.lapack import dpstrf  # importing SciPy takes a while

    packed, pivots, rank, _ = dpstrf(covariance, lower=1)
    factor: FloatArray = np.empty((len(covariance), rank))
    factor[pivots - 1] = np.tril(packed)[:, :rank]
    return factor


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
