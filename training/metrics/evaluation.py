"""Everything measured of one model's samples, all from the same features."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import MetricError
from training.metrics.baselines import find_baseline
from training.metrics.estimator import ScoreEstimator, compute_score
from training.metrics.extractors import Extractor
from training.metrics.frechet import compute_frechet_distance_from_features
from training.metrics.inception_score import NUM_SPLITS, compute_inception_score
from training.metrics.reference_files import ReferenceStatistics
from training.metrics.registry import METRICS
from training.metrics.score import FeatureSource, Score, describe_score

Features = NDArray[np.float32]

INCEPTION_SCORE = "inception_score"
METRIC_KEYS = (*METRICS, INCEPTION_SCORE)
SCORE_BLOCK = 1024
SHUFFLE_SEED = 0


@dataclass(frozen=True)
class Measured:
    """Hold a metric of a model's samples and what real images get: None where that is unknown.

    `num_samples` is how many of the samples were used. `deviation` is set for Inception Scores
    only: the standard deviation over the splits.
    """

    title: str
    value: float
    standard_error: float | None
    real: float | None
    num_samples: int
    deviation: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Hold one model's score and metrics, by key and in the order asked for."""

    name: str
    score: Score
    metrics: dict[str, Measured]

    def to_dict(self) -> dict[str, Any]:
        """Return the model's JSON object."""
        metrics = {key: _describe_measured(metric) for key, metric in self.metrics.items()}
        return {"name": self.name, **describe_score(self.score), **metrics}


@dataclass(frozen=True)
class RepeatedScore:
    """Hold the scores of several sets of samples of one size, as in Shadab 2022's Experiment 1."""

    name: str
    score_name: str
    extractor: str
    num_samples: int
    reference: str
    noise_floor: float
    is_noise_floor_measured: bool
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean of the scores."""
        return float(np.mean(self.scores))

    @property
    def deviation(self) -> float:
        """Return the standard deviation of one set's score (with N - 1)."""
        return float(np.std(self.scores, ddof=1))

    def to_dict(self) -> dict[str, Any]:
        """Return the model's JSON object: `score` is the mean, `num_samples` those of one set."""
        return {
            "name": self.name,
            "score": self.mean,
            "deviation": self.deviation,
            "score_name": self.score_name,
            "extractor": self.extractor,
            "num_samples": self.num_samples,
            "num_sets": len(self.scores),
            "scores": list(self.scores),
            "reference": self.reference,
            "noise_floor": self.noise_floor,
            "is_noise_floor_measured": self.is_noise_floor_measured,
        }


def collect_features(
    get_features: FeatureSource,
    num_samples: int,
    dim: int,
    batch_size: int,
    on_batch: Callable[[int], object],
) -> Features:
    """Collect the features (N, d) of samples 0 to N - 1; `on_batch` hears how many are new."""
    features = np.empty((num_samples, dim), dtype=np.float32)
    for start in range(0, num_samples, batch_size):
        count = min(batch_size, num_samples - start)
        features[start : start + count] = get_features(start, count)
        on_batch(count)
    return features


def evaluate_features(
    name: str,
    features: Features,
    reference: ReferenceStatistics,
    extractor: Extractor,
    keys: tuple[str, ...],
    on_stage: Callable[[str], object] = lambda title: None,
) -> Evaluation:
    """Measure score and metrics of features (N, d); `on_stage` hears what is computed next.

    `keys` are of METRIC_KEYS and possible, see `find_obstacles`.
    """
    on_stage(extractor.score_name)
    score = compute_score(
        lambda start, count: features[start : start + count],
        reference,
        extractor,
        len(features),
        SCORE_BLOCK,
    )
    metrics = {}
    for key in keys:
        on_stage(get_metric_title(key, extractor))
        if key == INCEPTION_SCORE:
            metrics[key] = _measure_inception_score(features, reference, extractor)
        else:
            metrics[key] = _measure(key, features, reference)
    return Evaluation(name, score, metrics)


def score_sets(
    name: str,
    features: Features,
    reference: ReferenceStatistics,
    extractor: Extractor,
    num_sets: int,
) -> RepeatedScore:
    """Score each of `num_sets` consecutive sets of features (N, d), equally large, at least 2."""
    ScoreEstimator(reference, extractor)  # refuses a reference of another extractor
    size = len(features) // num_sets
    sets = (features[start : start + size] for start in range(0, size * num_sets, size))
    return RepeatedScore(
        name,
        extractor.score_name,
        extractor.key,
        size,
        reference.title,
        reference.get_noise_floor(size),
        reference.is_noise_floor_measured(size),
        tuple(compute_frechet_distance_from_features(part, reference.statistics) for part in sets),
    )


def find_obstacles(
    keys: tuple[str, ...], reference: ReferenceStatistics, extractor: Extractor
) -> Iterator[tuple[str, str]]:
    """Yield (key, reason) of the metrics that cannot be computed against this reference.

    A score needs more samples than any metric, so their number is none.
    """
    num_real = len(reference.real.features) if reference.real else 0
    for key in keys:
        if key == INCEPTION_SCORE:
            if extractor.head is None:
                yield key, f"the extractor {extractor.key} has no classes"
            continue
        minimum = METRICS[key].min_samples
        if reference.real is None:
            yield (
                key,
                f"the reference {reference.name} keeps no real features; make it anew with"
                " `python -m training reference`",
            )
        elif num_real < minimum:
            yield (
                key,
                f"the reference {reference.name} keeps the features of {num_real} real images,"
                f" expected at least {minimum}",
            )


def get_metric_title(key: str, extractor: Extractor) -> str:
    """Return what a metric of METRIC_KEYS is called with this extractor."""
    if key != INCEPTION_SCORE:
        return METRICS[key].title
    return extractor.head.score_name if extractor.head else "Inception Score"


def _measure(key: str, features: Features, reference: ReferenceStatistics) -> Measured:
    metric, real = METRICS[key], reference.real
    if real is None:
        raise MetricError(f"{metric.title}: the reference {reference.name} keeps no real features.")
    result = metric.compute(features, real)
    num_used = metric.get_num_used(len(features), len(real.features))
    baseline = find_baseline(real.baselines, key, num_used)
    return Measured(metric.title, result.value, result.standard_error, baseline, num_used)


def _measure_inception_score(
    features: Features, reference: ReferenceStatistics, extractor: Extractor
) -> Measured:
    logits = extractor.compute_logits(features)
    if logits is None or extractor.head is None:
        raise MetricError(f"Inception Score: the extractor {extractor.key} has no classes.")
    found = compute_inception_score(logits)
    return Measured(
        extractor.head.score_name,
        found.value,
        found.deviation / float(np.sqrt(found.num_splits - 1)),
        _score_real_images(len(features), reference, extractor),
        len(features),
        found.deviation,
    )


def _score_real_images(
    num_samples: int, reference: ReferenceStatistics, extractor: Extractor
) -> float | None:
    """Compute the real images' Inception Score in splits about as large as the samples' own.

    It grows with the size of a split. None where not even one split can be filled.
    """
    kept = reference.real.features if reference.real else np.empty((0, extractor.dim), np.float32)
    num_splits = min(NUM_SPLITS, round(NUM_SPLITS * len(kept) / num_samples))
    if num_splits < 1:
        return None
    # Real images are kept in the order of their data set, which may be sorted.
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(kept))[:num_samples]
    logits = extractor.compute_logits(kept[order])
    return None if logits is None else compute_inception_score(logits, num_splits).value


def _describe_measured(metric: Measured) -> dict[str, Any]:
    values: dict[str, Any] = {
        "title": metric.title,
        "value": metric.value,
        "standard_error": metric.standard_error,
        "real": metric.real,
        "num_samples": metric.num_samples,
    }
    return values if metric.deviation is None else {**values, "deviation": metric.deviation}
