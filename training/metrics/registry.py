"""METRICS: what is measured of samples beside the score, against the real features kept.

A recall of 0.4 or a density of 0.8 tells nothing by itself; `baselines` says what real images get.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import MetricError
from training.metrics.kid import MIN_SAMPLES, compute_kid, sum_kernels
from training.metrics.manifold import (
    DENSITY_COVERAGE_NEIGHBOURS,
    PRECISION_RECALL_NEIGHBOURS,
    compute_coverage,
    compute_densities,
    compute_recall,
    find_inside,
    find_radii,
)
from training.metrics.real_features import RealFeatures

FloatFeatures = NDArray[np.floating]
Prepared = NDArray[Any] | None


@dataclass(frozen=True)
class MetricValue:
    """Hold a metric's value, and its standard error where there is an honest one.

    The errors of precision and density are those of a mean over the samples, the real images taken
    as given; KID's takes both sets as samples. Recall and coverage are shares of the real images in
    sets that all the samples make together, so they have none.
    """

    value: float
    standard_error: float | None = None


@dataclass(frozen=True)
class Metric:
    """Describe a metric of samples against real features; `min_samples` of both are needed.

    Where `is_count_sensitive`, it grows with the number of samples: `compute` then takes only the
    first K of more than the K real features, so that values of large N compare with each other and
    with what real images get.
    """

    key: str
    title: str
    is_higher_better: bool
    source: str
    min_samples: int
    is_count_sensitive: bool
    prepare: Callable[[FloatFeatures], Prepared]
    """Computes what depends on the real features only."""
    measure: Callable[[FloatFeatures, FloatFeatures, Prepared], MetricValue]

    def compute(self, features: FloatFeatures, real: RealFeatures) -> MetricValue:
        """Compute the metric of features (N, d); raises MetricError if there are too few."""
        return self.compare(features, real.features)

    def compare(
        self, features: FloatFeatures, real: FloatFeatures, prepared: Prepared = None
    ) -> MetricValue:
        """Compute the metric of features (N, d) against real ones (K, d).

        `prepared` is what `prepare` returned for these real features, to compute it once only.
        """
        if min(len(features), len(real)) < self.min_samples:
            raise MetricError(
                f"{self.title}: found {len(features)} samples and {len(real)} real images, expected"
                f" at least {self.min_samples} of each; use more, or leave this metric out."
            )
        prepared = self.prepare(real) if prepared is None else prepared
        used = features[: self.get_num_used(len(features), len(real))]
        return self.measure(used, real, prepared)

    def get_num_used(self, num_samples: int, num_real: int) -> int:
        """Return how many of the samples `compute` uses."""
        return min(num_samples, num_real) if self.is_count_sensitive else num_samples


def _prepare_precision(real: FloatFeatures) -> Prepared:
    return find_radii(real, PRECISION_RECALL_NEIGHBOURS)


def _prepare_density(real: FloatFeatures) -> Prepared:
    return find_radii(real, DENSITY_COVERAGE_NEIGHBOURS)


def _prepare_nothing(real: FloatFeatures) -> Prepared:
    return None


def _measure_kid(features: FloatFeatures, real: FloatFeatures, sums: Prepared) -> MetricValue:
    distance = compute_kid(features, real, sums)
    return MetricValue(distance.value, distance.standard_error)


def _measure_precision(
    features: FloatFeatures, real: FloatFeatures, radii: Prepared
) -> MetricValue:
    is_inside = find_inside(features, real, radii)
    # Agresti and Coull 1998: two more of each, so that a share of 0 or 1 has an error too.
    share = (is_inside.sum() + 2) / (len(is_inside) + 4)
    error = float(np.sqrt(share * (1 - share) / (len(is_inside) + 4)))
    return MetricValue(float(is_inside.mean()), error)


def _measure_recall(features: FloatFeatures, real: FloatFeatures, _: Prepared) -> MetricValue:
    return MetricValue(compute_recall(features, real))


def _measure_density(features: FloatFeatures, real: FloatFeatures, radii: Prepared) -> MetricValue:
    densities = compute_densities(features, real, radii)
    error = float(densities.std(ddof=1) / np.sqrt(len(densities)))
    # Where all samples are alike, as at 0, the scatter tells nothing.
    return MetricValue(float(densities.mean()), error or None)


def _measure_coverage(features: FloatFeatures, real: FloatFeatures, radii: Prepared) -> MetricValue:
    return MetricValue(compute_coverage(features, real, radii))


KYNKAANNIEMI = "Kynkäänniemi et al. 2019"
MIN_FOR_RECALL = PRECISION_RECALL_NEIGHBOURS + 1
MIN_FOR_COVERAGE = DENSITY_COVERAGE_NEIGHBOURS + 1

_METRICS = (
    Metric(
        key="kid", title="KID", is_higher_better=False, source="Binkowski et al. 2018",
        min_samples=MIN_SAMPLES, is_count_sensitive=False,
        prepare=sum_kernels, measure=_measure_kid,
    ),
    Metric(
        key="precision", title="Precision", is_higher_better=True, source=KYNKAANNIEMI,
        min_samples=MIN_FOR_RECALL, is_count_sensitive=False,
        prepare=_prepare_precision, measure=_measure_precision,
    ),
    Metric(
        key="recall", title="Recall", is_higher_better=True, source=KYNKAANNIEMI,
        min_samples=MIN_FOR_RECALL, is_count_sensitive=True,
        prepare=_prepare_nothing, measure=_measure_recall,
    ),
    Metric(
        key="density", title="Density", is_higher_better=True, source="Naeem et al. 2020",
        min_samples=MIN_FOR_COVERAGE, is_count_sensitive=False,
        prepare=_prepare_density, measure=_measure_density,
    ),
    Metric(
        key="coverage", title="Coverage", is_higher_better=True, source="Naeem et al. 2020",
        min_samples=MIN_FOR_COVERAGE, is_count_sensitive=True,
        prepare=_prepare_density, measure=_measure_coverage,
    ),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.key: metric for metric in _METRICS}
