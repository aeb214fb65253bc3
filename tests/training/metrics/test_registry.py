"""METRICS and baselines: every metric orders a good, a narrow and a shifted generator rightly."""

import numpy as np
import pytest

from training.errors import MetricError
from training.metrics.baselines import find_baseline, measure_baselines
from training.metrics.real_features import RealFeatures
from training.metrics.registry import METRICS

NUM_REAL = 200


def draw(count, shift=0.0, scale=1.0, seed=0, dim=4):
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(count, dim)) * scale + shift).astype(np.float32)


@pytest.fixture(scope="module")
def real():
    features = draw(NUM_REAL, seed=1)
    return RealFeatures(
        np.arange(NUM_REAL),
        features,
        np.arange(NUM_REAL),
        1.0,
        ((0.5, 1.0),),
        np.ones(101, np.float32),
    )


def test_the_metrics_are_the_five_of_the_literature():
    assert list(METRICS) == ["kid", "precision", "recall", "density", "coverage"]
    assert all(metric.source[-4:].isdigit() for metric in METRICS.values())
    assert [key for key, metric in METRICS.items() if not metric.is_higher_better] == ["kid"]


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_better_samples_get_better_values(metric, real):
    good = metric.compute(draw(NUM_REAL, seed=2), real).value
    bad = metric.compute(draw(NUM_REAL, seed=2, shift=4.0), real).value
    assert (good > bad) == metric.is_higher_better


@pytest.mark.parametrize(
    ("key", "is_lower"),
    [("precision", False), ("density", False), ("recall", True), ("coverage", True)],
)
def test_low_variety_shows_in_recall_and_coverage_only(key, is_lower, real):
    full = METRICS[key].compute(draw(NUM_REAL, seed=2), real).value
    narrow = METRICS[key].compute(draw(NUM_REAL, seed=2, scale=0.3), real).value
    assert (narrow < 0.7 * full) == is_lower


@pytest.mark.parametrize("key", ["precision", "density", "kid"])
def test_standard_errors_match_the_scatter_over_samples(key, real):
    """The real features stay, so only the samples' part of KID's error can be seen: a bound."""
    runs = [METRICS[key].compute(draw(60, 0.5, seed=i), real) for i in range(100, 200)]
    scatter = np.std([run.value for run in runs], ddof=1)
    error = np.mean([run.standard_error for run in runs])
    assert 0.8 < error / scatter < (1.25 if key != "kid" else 2.0)


def test_errors_of_nothing_found_are_not_zero(real):
    """Agresti and Coull 1998 by hand: 2 of 24 at 0 of 20; no error of a density of 0."""
    far = draw(20, shift=50.0)
    precision = METRICS["precision"].compute(far, real)
    assert precision.value == 0
    assert precision.standard_error == pytest.approx(np.sqrt(2 / 24 * 22 / 24 / 24))
    density = METRICS["density"].compute(far, real)
    assert (density.value, density.standard_error) == (0, None)


@pytest.mark.parametrize("key", ["recall", "coverage"])
def test_what_grows_with_the_samples_takes_no_more_than_there_are_real_features(key, real):
    metric, many = METRICS[key], draw(3 * NUM_REAL, seed=2)
    assert metric.compute(many, real) == metric.compute(many[:NUM_REAL], real)
    assert metric.get_num_used(len(many), NUM_REAL) == NUM_REAL
    assert metric.compute(many, real).standard_error is None


def test_precision_takes_all_samples(real):
    many = np.concatenate([draw(NUM_REAL, seed=2), draw(NUM_REAL, shift=50.0)])
    first = METRICS["precision"].compute(many[:NUM_REAL], real).value
    assert METRICS["precision"].compute(many, real).value == pytest.approx(first / 2)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_prepared_values_change_nothing(metric, real):
    features = draw(50, seed=3)
    prepared = metric.prepare(real.features)
    assert metric.compare(features, real.features, prepared) == metric.compute(features, real)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_too_few_samples_are_refused_with_the_metrics_name(metric, real):
    enough = draw(metric.min_samples, seed=4)
    assert np.isfinite(metric.compute(enough, real).value)
    with pytest.raises(
        MetricError, match=f"{metric.title}: found {metric.min_samples - 1} samples"
    ):
        metric.compute(enough[1:], real)


def test_baselines_are_near_what_theory_says():
    """Density 1, KID 0, coverage by the closed form of Naeem et al. 2020; counts up to all."""
    kept, held_out = draw(400, seed=5), draw(600, seed=6)
    baselines = measure_baselines(kept, held_out)
    assert list(baselines) == list(METRICS)
    for pairs in baselines.values():
        assert [count for count, _ in pairs] == [128, 256, 512, 600]
    assert all(abs(value - 1) < 0.12 for _, value in baselines["density"])
    assert all(abs(value) < 0.05 for _, value in baselines["kid"])
    for count, value in baselines["coverage"][:3]:
        missed = np.prod([(399 - t) / (399 + count - t) for t in range(5)])
        assert value == pytest.approx(1 - missed, abs=0.04)


def test_a_baseline_of_one_part_is_what_the_metric_gives():
    """At N = H there is one part: all held out, in any order."""
    kept, held_out = draw(60, seed=5), draw(40, seed=6)
    baselines = measure_baselines(kept, held_out)
    for key, metric in METRICS.items():
        expected = metric.compare(held_out, kept).value
        assert baselines[key] == ((40, pytest.approx(expected, rel=1e-6)),)


def test_few_real_images_make_no_baseline():
    assert set(measure_baselines(draw(100), draw(15, seed=1)).values()) == {()}
    baselines = measure_baselines(draw(5), draw(50, seed=1))
    assert {key: bool(pairs) for key, pairs in baselines.items()} == {
        "kid": True, "precision": True, "recall": True, "density": False, "coverage": False,
    }  # fmt: skip


def test_a_baseline_is_found_between_counts_and_beyond_but_not_below():
    baselines = {"recall": ((100, 0.2), (400, 0.6))}
    assert find_baseline(baselines, "recall", 100) == pytest.approx(0.2)
    assert find_baseline(baselines, "recall", 200) == pytest.approx(0.4)  # half way in log N
    assert find_baseline(baselines, "recall", 5000) == pytest.approx(0.6)
    assert find_baseline(baselines, "recall", 99) is None
    assert find_baseline(baselines, "kid", 100) is None
