"""The mean distance between samples."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from training.metrics.spread import MAX_SAMPLES, measure_spread


def test_the_mean_distance_by_hand():
    assert measure_spread(np.array([[0.0, 0], [3, 4], [6, 8]], np.float32)) == pytest.approx(20 / 3)


def test_some_of_many_samples_stand_for_all_even_if_two_kinds_come_in_turn():
    """As those of a class-conditional generator do: of one kind alone the distance is half."""
    samples = np.random.default_rng(0).normal(size=(2 * MAX_SAMPLES, 3)).astype(np.float32)
    samples[::2] += 10
    assert measure_spread(samples) == pytest.approx(pdist(samples).mean(), rel=0.01)


def test_one_sample_has_no_spread():
    assert measure_spread(np.zeros((1, 3), np.float32)) == 0
