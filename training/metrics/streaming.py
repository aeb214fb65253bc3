"""Mean and covariance of features that arrive in batches."""

import numpy as np
from numpy.typing import NDArray

from training.errors import MetricError
from training.metrics.frechet import (
    FeatureStatistics,
    FloatArray,
    compute_frechet_distance,
    compute_frechet_distance_from_features,
    compute_statistics,
)

# From 3/4 d features on, the distance is cheaper from moments.
KEPT_SHARE = 0.75


class RunningStatistics:
    """Collect the statistics of features (B, dim) batch by batch, in memory bounded by dim^2.

    Fewer than 3/4 dim features are kept as they are (float32 in, float32 kept), because the
    distance of so few to a reference is cheaper from the features themselves. From then on only
    moments remain, merged as in Chan, Golub and LeVeque 1983: stable however far the mean is from
    0, and the same whatever the batch size or order, up to float64 rounding.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.num_samples = 0
        self._kept: list[NDArray[np.floating]] = []
        self._mean: FloatArray = np.zeros(dim)
        self._scatter: FloatArray = np.zeros((0, 0))  # (dim, dim) once moments are in use
        self._num_in_moments = 0

    def update(self, features: NDArray[np.floating]) -> None:
        """Add features (B, dim); raises MetricError on a wrong shape or values not finite."""
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise MetricError(
                f"Statistics: found features of shape {features.shape}, expected (B, {self.dim});"
                " all batches must come from one extractor."
            )
        if not np.isfinite(features).all():
            raise MetricError(
                "Statistics: found features that are not finite (NaN or infinity); check that the"
                " generator's weights and images are finite."
            )
        if len(features) == 0:
            return
        self.num_samples += len(features)
        self._kept.append(features.copy())
        if self.num_samples >= KEPT_SHARE * self.dim:
            self._fold_kept()

    def statistics(self) -> FeatureStatistics:
        """Compute the mean and unbiased covariance so far; needs at least 2 samples."""
        if self.num_samples < 2:
            raise MetricError(
                f"Statistics: found {self.num_samples} sample(s), expected at least 2; add more."
            )
        if self._kept:  # then there are no moments yet
            return compute_statistics(np.concatenate(self._kept))
        covariance = self._scatter / (self.num_samples - 1)
        return FeatureStatistics(self._mean.copy(), covariance, self.num_samples)

    def compute_frechet_distance(self, reference: FeatureStatistics) -> float:
        """Compute the squared Frechet distance of the samples so far, the cheaper way."""
        if self._num_in_moments:
            return compute_frechet_distance(self.statistics(), reference)
        features = np.concatenate(self._kept) if self._kept else np.zeros((0, self.dim))
        return compute_frechet_distance_from_features(features, reference)

    def merge(self, other: "RunningStatistics") -> "RunningStatistics":
        """Return the statistics of both collections together, leaving both as they are.

        Several workers can collect on their own and merge at the end; raises MetricError if the
        number of features differs.
        """
        if self.dim != other.dim:
            raise MetricError(
                f"Statistics: found {self.dim} and {other.dim} features per sample, expected the"
                " same; only collections of one extractor merge."
            )
        merged = RunningStatistics(self.dim)
        for part in (self, other):
            if part._num_in_moments:
                merged._add_moments(part._num_in_moments, part._mean, part._scatter)
            merged._kept.extend(part._kept)
            merged.num_samples += part.num_samples
        if merged.num_samples >= KEPT_SHARE * merged.dim:
            merged._fold_kept()
        return merged

    def _fold_kept(self) -> None:
        """Turn kept features into moments and forget them."""
        if not self._kept:
            return
        features = np.concatenate(self._kept)
        self._kept = []
        mean = features.mean(axis=0, dtype=np.float64)
        centred = features - mean
        self._add_moments(len(features), mean, centred.T @ centred)

    def _add_moments(self, count: int, mean: FloatArray, scatter: FloatArray) -> None:
        if not self._num_in_moments:
            self._scatter = np.zeros((self.dim, self.dim))
        total = self._num_in_moments + count
        delta = mean - self._mean
        weight = self._num_in_moments * count / total
        self._scatter += scatter
        self._scatter += np.outer(delta, delta * weight)
        self._mean = self._mean + delta * (count / total)
        self._num_in_moments = total


def remove_samples(whole: FeatureStatistics, part: FeatureStatistics) -> FeatureStatistics:
    """Compute the statistics of `whole` without those samples of it that `part` describes."""
    count = whole.num_samples - part.num_samples
    mean: FloatArray = (whole.mean * whole.num_samples - part.mean * part.num_samples) / count
    delta = part.mean - mean
    weight = count * part.num_samples / whole.num_samples
    scatter = whole.covariance * (whole.num_samples - 1) - part.covariance * (part.num_samples - 1)
    scatter -= np.outer(delta, delta * weight)
    return FeatureStatistics(mean, scatter / (count - 1), count)
