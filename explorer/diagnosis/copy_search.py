"""The search for copies: among all features of the data set where known, else those kept."""

import numpy as np
from numpy.typing import NDArray

from explorer.diagnosis.types import Copying, NearestImage
from training.metrics.copying import (
    RATIO_SHARE,
    Neighbours,
    choose_closest,
    compute_share_interval,
    compute_shares,
    describe_real,
    find_neighbours,
)
from training.metrics.real_features import RealFeatures

MIN_REAL = 30


class CopySearch:
    """Search the real images nearest to samples, each sample once, as samples come in.

    `features` (M, d) are those of all images that the reference was made of; without them the K
    kept with it are searched. Distances among the real images are those of the same images.
    """

    def __init__(
        self,
        real: RealFeatures,
        num_dataset: int,
        features: NDArray[np.float32] | None = None,
    ) -> None:
        is_whole = features is not None
        self._features = real.features if features is None else features
        self._indices = real.measured_indices if is_whole else real.indices
        self._num_dataset = num_dataset
        self._real = describe_real(real.features, real.nearest_distances if is_whole else None)
        self._found: list[Neighbours] = []
        self._num_searched = 0

    def search(self, features: NDArray[np.float32]) -> None:
        """Search those of the samples (N, d) that came since the last search."""
        new = features[self._num_searched :]
        if len(new):
            self._found.append(find_neighbours(new, self._features))
            self._num_searched = len(features)

    def build(self, base_seed: int, support: float | None) -> Copying:
        """Build the record of what is searched so far, at least one sample.

        Samples of a generator that makes few different images repeat one another, so that no more
        than `support` of them count as evidence.
        """
        found = Neighbours(
            np.concatenate([part.indices for part in self._found]),
            np.concatenate([part.distances for part in self._found]),
        )
        nearest = found.distances[:, 0]
        count = min(float(len(nearest)), support or float("inf"))
        expected, limit = self._real.limit
        edges, shares, real_shares = compute_shares(nearest, self._real.percentiles)
        close = float((nearest < limit).mean())
        ratio = float((found.ratios < self._real.ratio_limit).mean())
        return Copying(
            num_samples=len(nearest),
            num_real=len(self._features),
            num_dataset=self._num_dataset,
            source=f"{len(self._features):,} of {self._num_dataset:,} images",
            edges=tuple(edges.tolist()),
            sample_shares=tuple(shares.tolist()),
            real_shares=tuple(real_shares.tolist()),
            close_distance=limit,
            close_share=close,
            close_share_interval=compute_share_interval(close, count),
            expected_share=expected,
            ratio_limit=self._real.ratio_limit,
            ratio_share=ratio,
            ratio_share_interval=compute_share_interval(ratio, count),
            expected_ratio_share=RATIO_SHARE,
            closest=tuple(
                NearestImage(
                    int(base_seed + sample),
                    int(self._indices[found.indices[sample]]),
                    float(nearest[sample]),
                )
                for sample in choose_closest(found)
            ),
        )


def explain_no_search(real: RealFeatures) -> str | None:
    """Say why no search for copies makes sense, None if one does."""
    if len(real.features) >= MIN_REAL:
        return None
    return (
        f"The reference keeps features of {len(real.features)} real images: at least {MIN_REAL} are"
        " needed to know how near real images come to each other."
    )
