"""Copying: whether samples come nearer to real images than real images come to each other.

Two signs, each held against what real images show by the same measure:

- distance: a sample lies closer to its nearest real image than all but the closest real images
  lie to theirs;
- ratio: its nearest real image is much nearer than its second nearest. Noise moves a copy away
  from all real images alike, so that its distance says nothing any more, but not the ratio. The
  ratio does not depend on how many images are searched (Facco et al. 2017).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics.neighbours import FloatFeatures, iter_distance_blocks

# The share of real images that lies below the limits.
CLOSE_SHARE = 0.01
RATIO_SHARE = 0.05
NUM_BINS = 40
NUM_CLOSEST = 8
NORMAL_QUANTILE = 1.96


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Hold for each of N images the nearest real one and the distances to the two nearest.

    indices (N,): rows of the real features; distances (N, 2), the nearer first.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float32]

    @property
    def ratios(self) -> NDArray[np.float32]:
        """Return the nearest distance over the second nearest, (N,), 1 where both are 0."""
        first, second = self.distances.T
        ratios: NDArray[np.float32] = np.divide(
            first, second, out=np.ones_like(first), where=second > 0
        )
        return ratios


def find_neighbours(features: FloatFeatures, real: FloatFeatures) -> Neighbours:
    """Find the two nearest of the real features (M, d), M >= 2, for each of (N, d)."""
    return _find(features, real, is_same=False)


def find_real_neighbours(real: FloatFeatures) -> Neighbours:
    """Find the two nearest others for each of the real features (M, d), M >= 3."""
    return _find(real, real, is_same=True)


def _find(features: FloatFeatures, real: FloatFeatures, is_same: bool) -> Neighbours:
    indices = np.empty((len(features), 2), dtype=np.int64)
    distances = np.empty((len(features), 2), dtype=np.float32)
    for block, found in iter_distance_blocks(features, real):
        rows = np.arange(len(found))
        if is_same:  # nobody is their own neighbour
            found[rows, block.start + rows] = np.inf
        nearest = np.argpartition(found, 1, axis=1)[:, :2]
        order = np.take_along_axis(found, nearest, axis=1).argsort(axis=1, kind="stable")
        nearest = np.take_along_axis(nearest, order, axis=1)
        indices[block] = nearest
        distances[block] = np.take_along_axis(found, nearest, axis=1)
    return Neighbours(indices[:, 0], distances)


@dataclass(frozen=True, eq=False)
class RealNearest:
    """Hold how near real images come to each other.

    percentiles (101,): 0 to 100, of the distance to the nearest other one; `ratio_limit`: the ratio
    of nearest to second nearest distance that 5 % of real images stay below.
    """

    percentiles: NDArray[np.floating]
    ratio_limit: float

    @property
    def limit(self) -> tuple[float, float]:
        """Return (share, distance): the real images' 1 % quantile.

        Where the data set repeats images it may be 0; then the lowest percentile above 0 is taken.
        """
        first = round(100 * CLOSE_SHARE)
        positive = np.flatnonzero(self.percentiles[first:] > 0)
        percentile = first + (int(positive[0]) if len(positive) else 0)
        return percentile / 100, float(self.percentiles[percentile])


def describe_real(
    real: FloatFeatures, percentiles: NDArray[np.floating] | None = None
) -> RealNearest:
    """Describe how near real images (M, d) come to each other.

    `percentiles` of the nearest distance replace those of these images, where more of the data set
    are searched than are given here.
    """
    found = find_real_neighbours(real)
    if percentiles is None:
        percentiles = np.percentile(found.distances[:, 0], np.arange(101))
    return RealNearest(percentiles, float(np.quantile(found.ratios, RATIO_SHARE)))


def compute_shares(
    distances: FloatFeatures, percentiles: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compute histograms of nearest distances: edges (B + 1), shares of samples and real (B).

    The real shares come from their percentiles, linear in between.
    """
    top = 1.02 * max(float(distances.max()), float(percentiles[-1]), 1e-6)
    edges = np.linspace(0, top, NUM_BINS + 1)
    samples = np.histogram(distances, edges)[0] / len(distances)
    steps = np.arange(len(percentiles)) * 1e-9  # equal percentiles still grow
    below = np.interp(edges, percentiles + steps, np.linspace(0, 1, len(percentiles)), left=0.0)
    return edges, samples, np.diff(below)


def compute_share_interval(share: float, count: float) -> tuple[float, float]:
    """Compute the 95 % interval of a share seen in `count` draws (Wilson 1927)."""
    z2 = NORMAL_QUANTILE**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    spread = share * (1 - share) / count + z2 / (4 * count**2)
    half = NORMAL_QUANTILE * float(np.sqrt(spread)) / (1 + z2 / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def choose_closest(neighbours: Neighbours, count: int = NUM_CLOSEST) -> list[int]:
    """Choose the samples nearest to real images, of each real image only the nearest one."""
    chosen: list[int] = []
    taken: set[int] = set()
    for sample in np.argsort(neighbours.distances[:, 0], kind="stable"):
        image = int(neighbours.indices[sample])
        if image not in taken:
            chosen.append(int(sample))
            taken.add(image)
        if len(chosen) == count:
            break
    return chosen
