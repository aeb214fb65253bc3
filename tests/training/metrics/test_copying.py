"""Copying: nearest real images, against SciPy's tree, and generators that copy."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from training.metrics.copying import (
    Neighbours,
    RealNearest,
    choose_closest,
    compute_share_interval,
    compute_shares,
    describe_real,
    find_neighbours,
    find_real_neighbours,
)

DIM = 12


@pytest.fixture(scope="module")
def real():
    return np.random.default_rng(0).normal(size=(1500, DIM)).astype(np.float32)


def test_the_two_nearest_are_those_of_a_tree(real):
    samples = np.random.default_rng(1).normal(size=(1100, DIM)).astype(np.float32)
    found = find_neighbours(samples, real)
    distances, indices = cKDTree(real).query(samples, k=2)
    assert found.distances == pytest.approx(distances, rel=1e-4)
    assert (found.indices == indices[:, 0]).mean() > 0.999


def test_nobody_is_their_own_neighbour(real):
    found = find_real_neighbours(real)
    distances, _ = cKDTree(real).query(real, k=3)
    assert found.distances == pytest.approx(distances[:, 1:], rel=1e-3)
    assert (found.indices != np.arange(len(real))).all()


def test_the_real_limits_leave_the_shares_they_name(real):
    known = describe_real(real)
    found = find_real_neighbours(real)
    expected, limit = known.limit
    assert expected == 0.01
    assert (found.distances[:, 0] < limit).mean() == pytest.approx(0.01, abs=0.002)
    assert (found.ratios < known.ratio_limit).mean() == pytest.approx(0.05, abs=0.002)


def test_new_images_of_the_same_kind_come_as_near_as_real_ones(real):
    known = describe_real(real)
    new = np.random.default_rng(2).normal(size=(4000, DIM)).astype(np.float32)
    found = find_neighbours(new, real)
    assert (found.distances[:, 0] < known.limit[1]).mean() == pytest.approx(0.01, abs=0.01)
    assert (found.ratios < known.ratio_limit).mean() == pytest.approx(0.05, abs=0.015)


def test_copies_are_nearer_and_noisy_copies_are_so_in_ratio(real):
    known = describe_real(real)
    generator = np.random.default_rng(3)
    chosen = real[generator.integers(0, 50, 400)]
    copies = find_neighbours(chosen + 0.02 * generator.normal(size=chosen.shape), real)
    assert (copies.distances[:, 0] < known.limit[1]).mean() == 1
    # Noise in directions that real images do not use, as artefacts are.
    wide = np.pad(real, ((0, 0), (0, 50)))
    noisy = np.pad(chosen, ((0, 0), (0, 50))) + 0.2 * generator.normal(size=(400, DIM + 50))
    found = find_neighbours(noisy.astype(np.float32), wide)
    assert (found.distances[:, 0] < known.limit[1]).mean() < 0.05
    assert (found.ratios < known.ratio_limit).mean() > 0.35


def test_given_percentiles_replace_the_images_own(real):
    known = describe_real(real, np.arange(101.0))
    assert known.limit == (0.01, 1.0)


def test_a_data_set_with_repeated_images_has_a_limit_above_0():
    percentiles = np.concatenate([np.zeros(8), np.arange(1.0, 94.0)])
    assert RealNearest(percentiles, 0.5).limit == (0.08, 1.0)


def test_the_ratio_of_two_distances_of_0_is_1():
    found = Neighbours(np.zeros(3, int), np.array([[0, 0], [0, 2], [1, 2]], np.float32))
    assert found.ratios.tolist() == [1, 0, 0.5]


def test_histograms_are_shares(real):
    found = find_real_neighbours(real).distances[:, 0]
    edges, samples, real_shares = compute_shares(found, np.percentile(found, np.arange(101)))
    assert len(edges) == len(samples) + 1
    assert samples.sum() == pytest.approx(1)
    assert real_shares.sum() == pytest.approx(1, abs=0.01)
    assert np.abs(samples - real_shares).max() < 0.02  # the same images


def test_the_interval_of_a_share_is_wilsons():
    # Newcombe 1998, table I: 81 of 263 and 0 of 20.
    assert compute_share_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert compute_share_interval(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)


def test_of_each_real_image_only_the_nearest_sample_is_named():
    distances = np.array([[3, 9], [1, 9], [2, 9], [0.5, 9]], np.float32)
    found = Neighbours(np.array([7, 7, 4, 5]), distances)
    assert choose_closest(found) == [3, 1, 2]
    assert choose_closest(found, count=2) == [3, 1]
