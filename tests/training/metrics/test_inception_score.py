"""The Inception Score: closed forms, and torch-fidelity's answer for the same logits."""

import numpy as np
import pytest
import torch

from training.errors import MetricError
from training.metrics.inception_score import compute_inception_score


def make_logits(count, classes=7, scale=2.0, seed=0):
    return np.random.default_rng(seed).normal(size=(count, classes)).astype(np.float32) * scale


def test_sure_and_evenly_spread_answers_score_the_number_of_classes():
    logits = 100 * np.tile(np.eye(5), (8, 1))  # 40 samples, sure of one of 5 classes in turn
    found = compute_inception_score(logits, num_splits=4)
    assert found.value == pytest.approx(5)
    assert found.deviation == pytest.approx(0, abs=1e-9)


def test_equal_answers_score_one():
    same = np.tile(make_logits(1), (30, 1))
    assert compute_inception_score(same).value == pytest.approx(1)
    assert compute_inception_score(np.zeros((30, 4))).value == pytest.approx(1)


def test_two_samples_by_hand():
    """Probabilities (3/4, 1/4) and (1/4, 3/4); the average is (1/2, 1/2) and the score exp(KL)."""
    logits = np.log([[3, 1], [1, 3]])
    divergence = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    found = compute_inception_score(logits, num_splits=1)
    assert found.value == pytest.approx(np.exp(divergence))


def test_parts_are_consecutive():
    """One part of equal answers scores 1, one of two sure classes 2."""
    logits = np.concatenate([np.zeros((4, 2)), 100 * np.tile(np.eye(2), (2, 1))])
    found = compute_inception_score(logits, num_splits=2)
    assert (found.value, found.deviation) == pytest.approx((1.5, 0.5))


@pytest.mark.parametrize(("count", "splits"), [(200, 10), (57, 10), (33, 1)])
def test_mean_and_deviation_are_torch_fidelitys(count, splits):
    pytest.importorskip("torch_fidelity")
    from torch_fidelity import metric_isc

    logits = make_logits(count)
    theirs = metric_isc.isc_features_to_metric(
        torch.from_numpy(logits), splits=splits, shuffle=False
    )
    found = compute_inception_score(logits, num_splits=splits)
    assert found.value == pytest.approx(theirs[metric_isc.KEY_METRIC_ISC_MEAN], rel=1e-10)
    assert found.deviation == pytest.approx(theirs[metric_isc.KEY_METRIC_ISC_STD], abs=1e-10)


def test_huge_logits_stay_finite():
    """Probabilities underflow to 0 where differences exceed 745: 0 log 0 counts as 0."""
    logits = 1e4 * np.tile(np.eye(3), (10, 1))
    assert compute_inception_score(logits, num_splits=1).value == pytest.approx(3)


def test_fewer_samples_than_splits_are_refused():
    with pytest.raises(MetricError, match=r"\(9, 7\) for 10 splits"):
        compute_inception_score(make_logits(9))
