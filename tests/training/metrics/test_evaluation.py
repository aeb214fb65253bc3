"""What is measured of one model's samples, from features alone."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from training.errors import MetricError
from training.metrics.evaluation import (
    METRIC_KEYS,
    Evaluation,
    collect_features,
    evaluate_features,
    find_obstacles,
    score_sets,
)
from training.metrics.extractors import Extractor, LinearHead
from training.metrics.frechet import compute_statistics
from training.metrics.inception_score import compute_inception_score
from training.metrics.real_features import RealFeatures
from training.metrics.reference_files import ReferenceStatistics
from training.metrics.registry import METRICS
from training.metrics.tables import format_metrics, format_repeated, format_scores

DIM, NUM_REAL = 6, 200


def draw(count, shift=0.0, seed=0):
    return (np.random.default_rng(seed).normal(size=(count, DIM)) + shift).astype(np.float32)


@pytest.fixture(scope="module")
def extractor():
    weight = np.random.default_rng(9).normal(size=(5, DIM)).astype(np.float32)
    head = LinearHead("IS-Made", weight)
    return Extractor("made", "FD-Made", DIM, nn.Identity(), torch.device("cpu"), head)


@pytest.fixture(scope="module")
def reference():
    everything = draw(1000, seed=1)
    baselines = {"recall": ((128, 0.5), (256, 0.7)), "kid": ((128, 0.01), (256, -0.01))}
    real = RealFeatures(
        np.arange(NUM_REAL) * 5, everything[::5], np.arange(1000), 3.0, ((0.5, 3.0),),
        np.ones(101, np.float32), baselines,
    )  # fmt: skip
    facts = {"name": "normal", "title": "Normal", "resolution": 64}
    statistics = compute_statistics(everything)
    return ReferenceStatistics(facts, "made", statistics, ((16, 3.0), (500, 0.1)), real=real)


def test_every_metric_is_measured_in_the_order_asked_for(reference, extractor):
    features, stages = draw(300, shift=0.5, seed=2), []
    keys = ("inception_score", "recall", "kid", "density")
    found = evaluate_features("model", features, reference, extractor, keys, stages.append)
    assert tuple(found.metrics) == keys
    assert stages == ["FD-Made", "IS-Made", "Recall", "KID", "Density"]
    for key in keys[1:]:
        expected = METRICS[key].compute(features, reference.real)
        assert found.metrics[key].value == expected.value
        assert found.metrics[key].standard_error == expected.standard_error
    assert found.metrics["recall"].num_samples == NUM_REAL
    half_way = np.log(200 / 128) / np.log(2)
    assert found.metrics["recall"].real == pytest.approx(0.5 + 0.2 * half_way)
    assert found.metrics["kid"].real == pytest.approx(-0.01)
    assert found.metrics["density"].real is None


def test_the_inception_score_of_real_images_has_splits_of_the_same_size(reference, extractor):
    """400 samples in 10 splits of 40: the 200 real images fill 5 of them."""
    features = draw(400, seed=3)
    found = evaluate_features("model", features, reference, extractor, ("inception_score",))
    measured = found.metrics["inception_score"]
    expected = compute_inception_score(extractor.compute_logits(features))
    assert (measured.value, measured.deviation) == (expected.value, expected.deviation)
    assert measured.standard_error == pytest.approx(expected.deviation / 3)  # sqrt(10 - 1)
    order = np.random.default_rng(0).permutation(NUM_REAL)
    logits = extractor.compute_logits(reference.real.features[order])
    assert measured.real == pytest.approx(compute_inception_score(logits, 5).value)


def test_real_images_too_few_for_half_a_split_have_no_inception_score(reference, extractor):
    features = draw(5000, seed=3)  # a split of 500
    found = evaluate_features("model", features, reference, extractor, ("inception_score",))
    assert found.metrics["inception_score"].real is None


def test_obstacles_are_named(reference, extractor):
    assert list(find_obstacles(METRIC_KEYS, reference, extractor)) == []
    headless = dataclasses.replace(extractor, head=None)
    bare = dataclasses.replace(reference, real=None)
    found = dict(find_obstacles(METRIC_KEYS, bare, headless))
    assert tuple(found) == METRIC_KEYS
    assert "keeps no real features" in found["kid"]
    assert "has no classes" in found["inception_score"]
    few = dataclasses.replace(reference.real, features=reference.real.features[:5])
    found = dict(find_obstacles(METRIC_KEYS, dataclasses.replace(reference, real=few), extractor))
    assert list(found) == ["density", "coverage"]
    assert "of 5 real images, expected at least 6" in found["density"]


def test_sets_are_scored_each_alone(reference, extractor):
    """An odd sample at the end belongs to no set."""
    features = draw(101, seed=4)
    found = score_sets("model", features, reference, extractor, 4)
    assert (found.num_samples, len(found.scores)) == (25, 4)
    alone = score_sets("model", features[50:100], reference, extractor, 2)
    assert found.scores[2:] == pytest.approx(alone.scores)
    assert len(set(found.scores)) == 4
    other = dataclasses.replace(reference, extractor="other")
    with pytest.raises(MetricError, match="extractor"):
        score_sets("model", features, other, extractor, 4)


def test_features_are_asked_for_in_batches_and_kept_in_order():
    asked = []

    def get_features(start, count):
        asked.append((start, count))
        return np.arange(start, start + count, dtype=np.float32)[:, None]

    counts = []
    features = collect_features(get_features, 10, 1, 4, counts.append)
    assert asked == [(0, 4), (4, 4), (8, 2)]
    assert counts == [4, 4, 2]
    np.testing.assert_array_equal(features[:, 0], np.arange(10))


# Tables ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evaluations(reference, extractor):
    keys = ("kid", "recall")
    return [
        evaluate_features(name, draw(40, shift, seed=5), reference, extractor, keys)
        for name, shift in (("near", 0.1), ("far", 1.0))
    ]


def test_scores_come_with_intervals_and_limits(evaluations):
    header, near, _ = format_scores([(row.name, row.score) for row in evaluations]).splitlines()
    assert header.split("  ")[0] == "model"
    score = evaluations[0].score
    assert near.startswith(f"near   {score.value:.2f}")
    assert f"[{score.interval[0]:.2f}, {score.interval[1]:.2f}]" in near
    limits = score.infinite_n_interval
    assert f"{score.infinite_n:.2f}" in near
    assert f"[{limits[0]:.2f}, {limits[1]:.2f}]" in near
    assert "FD-Made" in near


def test_metrics_of_one_reference_share_the_row_of_real_images(evaluations):
    lines = format_metrics(evaluations).splitlines()
    assert [line.split()[0] for line in lines] == ["model", "near", "far", "real"]
    kid = evaluations[1].metrics["kid"]
    assert f"{kid.value:.4f} ± {kid.standard_error:.4f}" in lines[2]
    assert lines[3].split()[-2:] == ["-", "-"]  # 40 samples are fewer than were measured


def test_a_metric_that_one_model_lacks_is_a_dash(evaluations):
    lacking = Evaluation("lacking", evaluations[0].score, {})
    lines = format_metrics([evaluations[0], lacking]).splitlines()
    assert lines[2].split() == ["lacking", "-", "-"]


def test_repeated_scores_come_with_mean_and_deviation(reference, extractor):
    result = score_sets("model", draw(80, seed=6), reference, extractor, 4)
    row = format_repeated([result]).splitlines()[1].split()
    assert row[:3] == ["model", f"{np.mean(result.scores):.2f}", f"{result.deviation:.2f}"]
    assert result.deviation == pytest.approx(np.std(result.scores, ddof=1))
    assert row[4:7] == ["4", "x", "20"]
