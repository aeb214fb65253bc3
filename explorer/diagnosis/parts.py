"""The parts of a diagnosis: what the metrics measure, as records that name seeds and images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.diagnosis.types import (
    Duplicates,
    FeatureMap,
    MetricRow,
    ModeShares,
    PairLevel,
    SamplePair,
    Spread,
)
from training.metrics.baselines import find_baseline
from training.metrics.components import find_components
from training.metrics.copying import compute_share_interval
from training.metrics.duplicates import measure_duplicates
from training.metrics.modes import ModeClassifier
from training.metrics.real_features import RealFeatures
from training.metrics.registry import METRICS, Prepared
from training.metrics.spread import measure_spread
from training.subset import choose_subset

Features = NDArray[np.float32]

SHOWN_METRICS = ("precision", "recall", "density", "coverage")
MAX_FOR_METRICS = 5000
MAX_SHOWN = 1000  # points of the map, of either kind
# A value is missing if at most this share of its real share is left, for all the interval knows.
MISSING_BELOW = 0.2
RARE_BELOW = 0.5
# Rarer values of the real images are not looked for.
MIN_REAL_SHARE = 0.01


def build_duplicates(features: Features, real: RealFeatures, base_seed: int) -> Duplicates | None:
    """Measure near-duplicates and the support; None where there are too few images for it."""
    found = measure_duplicates(features, real)
    if found is None:
        return None
    chosen = found.chosen
    return Duplicates(
        num_samples=found.num_samples,
        num_pairs=chosen.num_pairs,
        num_close=chosen.num_close,
        threshold=chosen.distance,
        real_share=chosen.real_share,
        expected_close=chosen.real_share * chosen.num_pairs,
        support=found.support.value,
        support_interval=found.support.interval,
        levels=tuple(
            PairLevel(
                level.real_share,
                level.distance,
                level.num_close,
                level.real_share * level.num_pairs,
            )
            for level in found.levels
        ),
        closest=tuple(
            SamplePair(base_seed + first, base_seed + second, distance)
            for first, second, distance in found.closest
        ),
    )


def build_spread(
    features: Features,
    real: RealFeatures,
    rows: tuple[MetricRow, ...] = (),
    num_measured: int = 0,
) -> Spread:
    """Measure the spread; `rows` are metrics of the first `num_measured` samples."""
    mean = measure_spread(features)
    ratio = mean / real.mean_pair_distance if real.mean_pair_distance > 0 else 0.0
    return Spread(mean, real.mean_pair_distance, ratio, rows, num_measured)


def prepare_metrics(real: RealFeatures) -> dict[str, Prepared]:
    """Compute what the metrics need of the real features only, once; too few have no metrics."""
    return {
        key: METRICS[key].prepare(real.features)
        for key in SHOWN_METRICS
        if len(real.features) >= METRICS[key].min_samples
    }


def build_metrics(
    features: Features, real: RealFeatures, prepared: dict[str, Prepared]
) -> tuple[MetricRow, ...]:
    """Measure precision, recall, density and coverage, of the first 5,000 samples at most."""
    used = features[:MAX_FOR_METRICS]
    rows = []
    for key in prepared:
        metric = METRICS[key]
        if len(used) >= metric.min_samples:
            value = metric.compare(used, real.features, prepared[key]).value
            baseline = find_baseline(real.baselines, key, len(used))
            rows.append(MetricRow(key, metric.title, value, baseline, metric.is_higher_better))
    return tuple(rows)


def count_modes(
    features: Features, classifiers: Sequence[ModeClassifier]
) -> list[NDArray[np.int64]]:
    """Count how many of the samples have each value, for each classifier: (C,) each."""
    return [
        np.bincount(classifier.classify(features), minlength=len(classifier.values))
        for classifier in classifiers
    ]


def build_modes(
    counts: Sequence[NDArray[np.int64]], classifiers: Sequence[ModeClassifier]
) -> tuple[ModeShares, ...]:
    """Compare the values' counts with the real images' shares, and name what is missing."""
    return tuple(
        _build_mode(count, classifier)
        for count, classifier in zip(counts, classifiers, strict=True)
    )


def _build_mode(counts: NDArray[np.int64], classifier: ModeClassifier) -> ModeShares:
    total = int(counts.sum())
    shares = counts / max(total, 1)
    missing, rare = [], []
    for value, share, real_share in zip(
        classifier.values, shares, classifier.real_shares, strict=True
    ):
        if real_share >= MIN_REAL_SHARE and total:
            most = compute_share_interval(float(share), total)[1]
            if most < MISSING_BELOW * real_share:
                missing.append(value)
            elif most < RARE_BELOW * real_share:
                rare.append(value)
    return ModeShares(
        name=classifier.name,
        values=classifier.values,
        shares=tuple(float(share) for share in shares),
        real_shares=classifier.real_shares,
        missing=tuple(missing),
        rare=tuple(rare),
        entropy=compute_entropy(shares),
        real_entropy=compute_entropy(np.array(classifier.real_shares)),
        accuracy=classifier.accuracy,
        num_samples=total,
    )


def compute_entropy(shares: NDArray[np.float64]) -> float:
    """Compute the entropy of shares in bits: 0 for one value only, log2 C for C equal ones."""
    present = shares[shares > 0]
    return max(0.0, float(-(present * np.log2(present)).sum()))


def build_map(features: Features, real: RealFeatures, base_seed: int) -> FeatureMap:
    """Place up to 1,000 samples and as many real images on their first four components."""
    found = find_components(features, real.features)
    samples = choose_subset(len(features), MAX_SHOWN)
    images = choose_subset(len(real.features), MAX_SHOWN)
    return FeatureMap(
        axes=tuple(f"Component {i + 1}" for i in range(len(found.explained_shares))),
        explained_shares=found.explained_shares,
        sample_seeds=tuple(int(base_seed + i) for i in samples),
        sample_positions=found.project(features[samples]).round(3),
        real_indices=tuple(int(i) for i in real.indices[images]),
        real_positions=found.project(real.features[images]).round(3),
    )
