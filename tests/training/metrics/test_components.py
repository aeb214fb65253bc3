"""Principal components, against NumPy's singular value decomposition."""

import numpy as np
import pytest

from training.metrics.components import find_components


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(200, 6)) * (9, 5, 3, 1, 1, 1) + 20


def test_components_are_those_of_the_singular_value_decomposition(features):
    found = find_components(features[:100], features[100:])
    centred = features - features.mean(axis=0)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    assert found.explained_shares == pytest.approx((singular**2 / (singular**2).sum())[:4])
    assert np.abs(found.directions.T @ rows[:4].T) == pytest.approx(np.eye(4), abs=1e-4)
    expected = centred @ rows[:4].T
    assert np.abs(found.project(features)) == pytest.approx(np.abs(expected), abs=1e-3)


def test_the_largest_entry_of_a_direction_is_positive(features):
    for sign in (1, -1):
        found = find_components(sign * features[:100], sign * features[100:])
        assert (found.directions.max(axis=0) > -found.directions.min(axis=0)).all()


def test_both_sets_weigh_the_same_whatever_their_sizes(features):
    once = find_components(features[:100], features[100:])
    often = find_components(np.repeat(features[:100], 5, axis=0), features[100:])
    assert often.directions == pytest.approx(once.directions, abs=1e-5)
    assert often.centre == pytest.approx(once.centre)


def test_there_are_no_more_components_than_features(features):
    found = find_components(features[:50, :2], features[50:, :2])
    assert found.directions.shape == (2, 2)
    assert sum(found.explained_shares) == pytest.approx(1)


def test_features_that_never_change_explain_nothing():
    same = np.ones((10, 5))
    assert find_components(same, same).explained_shares == (0, 0, 0, 0)
