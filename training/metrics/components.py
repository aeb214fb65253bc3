"""Principal components: samples and real images in the leading directions of their features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from training.metrics.neighbours import FloatFeatures

NUM_COMPONENTS = 4


@dataclass(frozen=True, eq=False)
class Components:
    """Hold directions (d, k) of length 1, what they are centred on (d,), and explained shares."""

    directions: NDArray[np.float32]
    centre: NDArray[np.float32]
    explained_shares: tuple[float, ...]

    def project(self, features: FloatFeatures) -> NDArray[np.float32]:
        """Return the positions (N, k) of features (N, d)."""
        positions: NDArray[np.float32] = (features - self.centre).astype(np.float32)
        return positions @ self.directions


def find_components(
    samples: FloatFeatures, real: FloatFeatures, count: int = NUM_COMPONENTS
) -> Components:
    """Find the leading principal components of samples (N, d) and real images (M, d) together.

    Both sets weigh the same, whatever their sizes. Of each direction the largest entry is positive,
    so that the picture does not flip. There are at most d components.
    """
    centre = (samples.mean(axis=0, dtype=np.float64) + real.mean(axis=0, dtype=np.float64)) / 2
    covariance = np.zeros((len(centre), len(centre)))
    for features in (samples, real):
        centred = (features - centre).astype(np.float32)
        covariance += (centred.T @ centred) / (2 * len(features))
    size = len(covariance)
    values, vectors = eigh(covariance, subset_by_index=(max(0, size - count), size - 1))
    directions = vectors[:, ::-1]
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])]
    total = max(float(np.trace(covariance)), 1e-30)
    return Components(
        directions=(directions * np.where(largest < 0, -1, 1)).astype(np.float32),
        centre=centre.astype(np.float32),
        explained_shares=tuple(max(0.0, float(value)) / total for value in values[::-1]),
    )
