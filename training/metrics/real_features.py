"""What a reference keeps of the real images beside their statistics: features and distances.

Mean and covariance are enough for a Frechet distance. Everything that asks about single images
(which samples are alike, how near they come to real ones, how much of the real variety they cover)
needs features, and needs to know how far real images lie apart.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.errors import MetricError
from training.metrics.manifold import find_radii
from training.metrics.neighbours import iter_distance_blocks
from training.subset import choose_subset

MAX_KEPT = 2048
# 5,000 images have 12.5 million pairs: enough to see what one pair in a million is like.
MAX_PAIRED = 5000
PAIR_SHARES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.5)
# A share of pairs is told from no fewer: with one or two it would be luck.
MIN_PAIRS_BEHIND = 10

Baselines = dict[str, tuple[tuple[int, float], ...]]
"""Metric key -> pairs (N, value) of growing N: what N real images get against those kept."""


@dataclass(frozen=True, eq=False)
class RealFeatures:
    """Hold features (K, d) of real images and how far M real images lie apart, all Euclidean.

    `indices` (K,) says which images of the data set were kept, `measured_indices` (M,) which were
    measured, those kept among them. `pair_quantiles` has (share, distance) of growing shares: that
    share of all pairs is closer. `nearest_distances` (101,) are the percentiles 0 to 100 of the
    distance from a real image to the nearest other one of the M.
    """

    indices: NDArray[np.int64]
    features: NDArray[np.float32]
    measured_indices: NDArray[np.int64]
    mean_pair_distance: float
    pair_quantiles: tuple[tuple[float, float], ...]
    nearest_distances: NDArray[np.float32]
    baselines: Baselines = field(default_factory=dict)

    @property
    def num_images(self) -> int:
        """Return M, how many images were measured."""
        return len(self.measured_indices)


def measure_real_features(
    features: NDArray[np.floating], indices: NDArray[np.int64], max_kept: int = MAX_KEPT
) -> RealFeatures:
    """Measure the distances among features (M, d), M >= 2, and keep `max_kept` of them at most.

    `indices` (M,) are the images' places in the data set, all different. Features are kept as
    float16 would hold them, since that is what the file has room for. `baselines` are left empty.
    """
    if len(features) < 2 or len(features) != len(indices):
        raise MetricError(
            f"Real features: found {len(features)} features of {len(indices)} images, expected as"
            " many of both and at least 2."
        )
    kept = choose_subset(len(features), max_kept)
    pairs = measure_pair_distances(features[choose_subset(len(features), MAX_PAIRED)])
    return RealFeatures(
        indices=indices[kept],
        features=features[kept].astype(np.float16).astype(np.float32),
        measured_indices=indices,
        mean_pair_distance=float(pairs.mean(dtype=np.float64)),
        pair_quantiles=compute_pair_quantiles(pairs),
        nearest_distances=np.percentile(find_radii(features, 1), np.arange(101)).astype("f4"),
    )


def measure_pair_distances(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Measure the distances (M (M - 1) / 2,) of all pairs of different rows."""
    parts = [
        distances[row, start + row + 1 :]
        for block, distances in iter_distance_blocks(features, features)
        for start in (block.start,)
        for row in range(len(distances))
    ]
    return np.concatenate(parts)


def compute_pair_quantiles(
    distances: NDArray[np.float32],
) -> tuple[tuple[float, float], ...]:
    """Compute (share, distance) for those of PAIR_SHARES that at least 10 pairs stand for."""
    shares = [share for share in PAIR_SHARES if share * len(distances) >= MIN_PAIRS_BEHIND]
    return tuple(
        (share, float(value))
        for share, value in zip(shares, np.quantile(distances, shares), strict=True)
    )
