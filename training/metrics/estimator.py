"""Scores of samples that keep coming: resumable, and the same whatever the batches."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.errors import MetricError
from training.metrics.extractors import Extractor
from training.metrics.frechet_estimator import STALE_AFTER, FrechetEstimator, check_enough
from training.metrics.reference import ReferenceStatistics
from training.metrics.score import FeatureSource, Score


class ScoreEstimator:
    """Score samples against a reference as their features come in; see `FrechetEstimator`.

    Keep it to continue with more samples. Raises MetricError if reference and extractor do not fit.
    """

    def __init__(self, reference: ReferenceStatistics, extractor: Extractor) -> None:
        check_extractor(reference, extractor)
        self.reference, self.extractor = reference, extractor
        self._estimator = FrechetEstimator(reference.statistics)

    @property
    def num_samples(self) -> int:
        """Return how many samples came in so far."""
        return self._estimator.num_samples

    def update(self, features: NDArray[np.floating]) -> None:
        """Add features (B, d) of the next samples."""
        self._estimator.update(features)

    def is_stale(self, growth: float = STALE_AFTER) -> bool:
        """Tell whether `renew` has a piece to measure."""
        return self._estimator.is_stale(growth)

    def renew(self, growth: float = STALE_AFTER) -> bool:
        """Measure a piece of interval and extrapolation anew; see `FrechetEstimator.renew`."""
        return self._estimator.renew(growth)

    def compute(self, is_exact: bool = True) -> Score:
        """Compute the score so far, from 16 samples on.

        Unless ``is_exact``, interval and extrapolation may be scaled from earlier moments.
        """
        estimate = self._estimator.compute(is_exact)
        return Score(
            value=estimate.value,
            score_name=self.extractor.score_name,
            extractor=self.extractor.key,
            num_samples=estimate.num_samples,
            reference=self.reference.title,
            noise_floor=self.reference.get_noise_floor(estimate.num_samples),
            is_noise_floor_measured=self.reference.is_noise_floor_measured(estimate.num_samples),
            interval=estimate.interval,
            infinite_n=estimate.infinite_n,
            infinite_n_interval=estimate.infinite_n_interval,
        )


def compute_score(
    get_features: FeatureSource,
    reference: ReferenceStatistics,
    extractor: Extractor,
    num_samples: int,
    batch_size: int = 64,
    on_batch: Callable[[int], object] | None = None,
) -> Score:
    """Compute the score of `num_samples` samples; `on_batch` hears how many each batch added."""
    running = ScoreEstimator(reference, extractor)
    _check_request(num_samples, batch_size)
    for start in range(0, num_samples, batch_size):
        count = min(batch_size, num_samples - start)
        _add_samples(running, get_features, count)
        if on_batch is not None:
            on_batch(count)
    return running.compute()


def _add_samples(running: ScoreEstimator, get_features: FeatureSource, count: int) -> None:
    start = running.num_samples
    features = get_features(start, count)
    if len(features) != count:
        raise MetricError(
            f"Score: found {len(features)} of the {count} samples from sample {start} on; expected"
            " as many as asked for."
        )
    running.update(features)


def _check_request(num_samples: int, batch_size: int) -> None:
    check_enough(num_samples)
    if batch_size < 1:
        raise MetricError(
            f"Score: found batches of {batch_size}, expected at least 1 sample in each."
        )


def check_extractor(reference: ReferenceStatistics, extractor: Extractor) -> None:
    """Raise MetricError unless a reference was made with an extractor, and with its weights."""
    if reference.extractor != extractor.key:
        raise MetricError(
            f"The reference of {reference.name} was made with the extractor {reference.extractor},"
            f" the samples would use {extractor.key}; use the same one, or make a reference with"
            " `python -m training reference`."
        )
    check_weights(reference, extractor.weights)


def check_weights(reference: ReferenceStatistics, weights: str | None) -> None:
    """Raise MetricError unless a reference was made with these weights (see `identify_weights`)."""
    if reference.weights != weights:
        raise MetricError(
            f"The reference of {reference.name} was made with"
            f" {_name_weights(reference.weights)} of {reference.extractor}, the samples would use"
            f" {_name_weights(weights)}; use one of the same weights (`python -m training reference"
            " --extractor-weights`)."
        )


def _name_weights(weights: str | None) -> str:
    return "the usual weights" if weights is None else f"the weights of SHA-256 {weights}"
