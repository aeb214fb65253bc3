"""Precision, recall, density and coverage: how two sets of features lie in each other's reach.

Each takes a set's manifold to be the union of balls around its points, as wide as the distance to
the point's k-th nearest neighbour in the same set.

- Precision (Kynkaanniemi et al. 2019): the share of samples inside the real manifold.
- Recall (the same): the share of real images inside the samples' manifold.
- Density (Naeem et al. 2020): in how many real balls a sample lies, over k; about 1 for perfect
  samples, and not moved by a single outlier's large ball as precision is.
- Coverage (the same): the share of real balls with a sample in them.

`radii` are those of the real balls, `find_radii` with the metric's number of neighbours; who
compares with the same real features again passes them.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.errors import MetricError
from training.metrics.neighbours import BLOCK_ROWS, FloatFeatures, iter_distance_blocks

Radii = NDArray[np.float32]

PRECISION_RECALL_NEIGHBOURS = 3
DENSITY_COVERAGE_NEIGHBOURS = 5


def find_radii(features: FloatFeatures, num_neighbours: int, block_rows: int = BLOCK_ROWS) -> Radii:
    """Find each feature's (N, d) distance to its k-th nearest other one: (N,), k < N.

    Raises MetricError if there are too few features.
    """
    if len(features) <= num_neighbours:
        raise MetricError(
            f"Neighbours: found {len(features)} image(s), expected at least {num_neighbours + 1}"
            f" for the {num_neighbours} nearest others of each; use more."
        )
    radii = np.empty(len(features), dtype=np.float32)
    for rows, distances in iter_distance_blocks(features, features, block_rows):
        # Nobody is their own neighbour. Rounding may leave that distance above a twin's 0.
        own = np.arange(rows.start, rows.stop)
        distances[own - rows.start, own] = np.inf
        radii[rows] = np.partition(distances, num_neighbours - 1, axis=1)[:, num_neighbours - 1]
    return radii


def find_inside(
    features: FloatFeatures, real: FloatFeatures, radii: Radii | None = None
) -> NDArray[np.bool_]:
    """Tell of samples (N, d) whether each lies in the manifold of the real ones (M, d): (N,).

    Their mean is the precision; with the sets exchanged it is the recall.
    """
    radii = find_radii(real, PRECISION_RECALL_NEIGHBOURS) if radii is None else radii
    return np.concatenate([inside.any(axis=1) for inside in _iter_inside(features, real, radii)])


def compute_recall(features: FloatFeatures, real: FloatFeatures) -> float:
    """Compute the recall of samples (N, d), N >= 4, against real features (M, d): 0 to 1.

    It grows with N, so only recalls of equal counts compare.
    """
    return float(find_inside(real, features).mean())


def compute_densities(
    features: FloatFeatures, real: FloatFeatures, radii: Radii | None = None
) -> NDArray[np.float64]:
    """Compute for each sample (N, d) the number of real balls it lies in, over k = 5: (N,).

    Their mean is the density; there must be at least 6 real features (M, d).
    """
    radii = find_radii(real, DENSITY_COVERAGE_NEIGHBOURS) if radii is None else radii
    counts = [inside.sum(axis=1) for inside in _iter_inside(features, real, radii)]
    densities: NDArray[np.float64] = np.concatenate(counts) / DENSITY_COVERAGE_NEIGHBOURS
    return densities


def compute_coverage(
    features: FloatFeatures, real: FloatFeatures, radii: Radii | None = None
) -> float:
    """Compute the coverage by samples (N, d) of real features (M, d), M >= 6: 0 to 1.

    It grows with N, so only coverages of equal counts compare.
    """
    radii = find_radii(real, DENSITY_COVERAGE_NEIGHBOURS) if radii is None else radii
    is_covered = np.zeros(len(real), dtype=bool)
    for inside in _iter_inside(features, real, radii):
        is_covered |= inside.any(axis=0)
    return float(is_covered.mean())


def _iter_inside(
    points: FloatFeatures, centres: FloatFeatures, radii: Radii
) -> Iterator[NDArray[np.bool_]]:
    """Yield, a block of points at a time, whether each lies in each centre's ball: (B, M)."""
    if len(points) == 0 or points.shape[1:] != centres.shape[1:]:
        raise MetricError(
            f"Neighbours: found features of shapes {points.shape} and {centres.shape}, expected"
            " (N, d) and (M, d) with at least one each; both must come from one extractor."
        )
    for _, distances in iter_distance_blocks(points, centres):
        yield distances <= radii
