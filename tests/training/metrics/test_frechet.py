"""Frechet distances against closed forms and SciPy."""

import numpy as np
import pytest
import scipy.linalg
import torch

from training.errors import MetricError
from training.metrics.frechet import (
    FeatureStatistics,
    compute_frechet_distance,
    compute_frechet_distance_from_features,
    compute_statistics,
)


def make_spd(generator, dim):
    matrix = generator.standard_normal((dim, dim))
    return matrix @ matrix.T / dim + 0.1 * np.eye(dim)


def make_statistics(mean, covariance, num_samples=1000):
    return FeatureStatistics(
        np.asarray(mean, dtype=np.float64), np.asarray(covariance, dtype=np.float64), num_samples
    )


def test_equal_covariances_leave_the_squared_distance_of_the_means():
    covariance = make_spd(np.random.default_rng(0), 8)
    a = make_statistics(np.zeros(8), covariance)
    b = make_statistics([3.0, 0, 0, 4.0, 0, 0, 0, 0], covariance)
    assert compute_frechet_distance(a, b) == pytest.approx(25.0, abs=1e-9)


def test_diagonal_gaussians_compare_their_standard_deviations():
    a = make_statistics([1.0, 2.0, 3.0], np.diag([1.0, 4.0, 9.0]))
    b = make_statistics([1.0, 0.0, 4.0], np.diag([16.0, 4.0, 0.0]))
    # Means: 4 + 1. Deviations: (1 - 4)^2 + 0 + (3 - 0)^2.
    assert compute_frechet_distance(a, b) == pytest.approx(5 + 18, abs=1e-9)


@pytest.mark.parametrize("dim", [1, 2, 17, 64])
def test_scipy_agrees_on_random_covariances(dim):
    generator = np.random.default_rng(dim)
    a = make_statistics(generator.standard_normal(dim), make_spd(generator, dim))
    b = make_statistics(generator.standard_normal(dim), make_spd(generator, dim))
    root = scipy.linalg.sqrtm(a.covariance @ b.covariance)
    expected = np.sum((a.mean - b.mean) ** 2) + np.trace(
        a.covariance + b.covariance - 2 * np.real(root)
    )
    assert compute_frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert compute_frechet_distance(b, a) == pytest.approx(expected, rel=1e-8)


def test_torch_fidelity_agrees_on_features():
    """The whole way from features to the distance, as the reference implementation of FID goes."""
    fidelity = pytest.importorskip("torch_fidelity.metric_fid")
    generator = np.random.default_rng(8)
    fake = generator.standard_normal((300, 32)) @ make_spd(generator, 32) + 0.1
    real = generator.standard_normal((400, 32))
    theirs = [fidelity.fid_features_to_statistics(torch.from_numpy(x)) for x in (fake, real)]
    expected = fidelity.fid_statistics_to_metric(*theirs, verbose=False)
    found = compute_frechet_distance(compute_statistics(fake), compute_statistics(real))
    assert found == pytest.approx(expected["frechet_inception_distance"], rel=1e-9)


def test_statistics_are_at_distance_zero_from_themselves():
    statistics = compute_statistics(np.random.default_rng(1).standard_normal((500, 40)))
    assert 0 <= compute_frechet_distance(statistics, statistics) < 1e-9


def test_singular_statistics_are_at_distance_zero_from_themselves():
    """Rank 9 in 40 dimensions: eigenvalues that are 0 but for rounding must not turn complex."""
    features = np.random.default_rng(2).standard_normal((10, 40))
    statistics = compute_statistics(features)
    distance = compute_frechet_distance(statistics, statistics)
    assert 0 <= distance < 1e-5 * np.trace(statistics.covariance)


def test_covariances_of_disjoint_rank_add_their_traces():
    a = make_statistics(np.zeros(4), np.diag([2.0, 1.0, 0.0, 0.0]))
    b = make_statistics(np.zeros(4), np.diag([0.0, 0.0, 5.0, 7.0]))
    assert compute_frechet_distance(a, b) == pytest.approx(15.0, abs=1e-9)


def test_constant_features_give_finite_distances():
    constant = compute_statistics(np.full((5, 3), 2.0))
    spread = make_statistics([2.0, 2.0, 2.0], np.eye(3))
    assert compute_frechet_distance(constant, spread) == pytest.approx(3.0, abs=1e-12)
    assert compute_frechet_distance(constant, constant) == 0.0


@pytest.mark.parametrize("num_samples", [2, 3, 30, 59, 60, 61, 200])
def test_features_give_the_distance_of_their_statistics(num_samples):
    """On both sides of N = d, the shortcut and the full form agree."""
    generator = np.random.default_rng(num_samples)
    reference = compute_statistics(
        generator.standard_normal((500, 60)) @ generator.standard_normal((60, 60)) + 1
    )
    features = generator.standard_normal((num_samples, 60)).astype(np.float32)
    expected = compute_frechet_distance(compute_statistics(features), reference)
    found = compute_frechet_distance_from_features(features, reference)
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_singular_reference_works_with_few_features():
    generator = np.random.default_rng(5)
    few, fewer = generator.standard_normal((12, 50)), generator.standard_normal((7, 50)) + 1
    expected = compute_frechet_distance(compute_statistics(fewer), compute_statistics(few))
    found = compute_frechet_distance_from_features(fewer, compute_statistics(few))
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rank", [0, 1, 9, 40])
def test_the_factor_of_a_covariance_multiplies_back_to_it(rank):
    mixing = np.random.default_rng(rank).standard_normal((40, rank))
    covariance = mixing @ mixing.T
    factor = make_statistics(np.zeros(40), covariance).covariance_factor.rows
    assert factor.shape == (40, rank)
    np.testing.assert_allclose(factor @ factor.T, covariance, atol=1e-12)


def test_rotation_and_scale_act_as_they_must():
    """Turning both sets changes nothing; doubling all features multiplies the distance by 4."""
    generator = np.random.default_rng(6)
    a = generator.standard_normal((300, 10)) * np.arange(1, 11)
    b = generator.standard_normal((300, 10)) + 0.3
    turn = np.linalg.qr(generator.standard_normal((10, 10)))[0]
    plain = compute_frechet_distance(compute_statistics(a), compute_statistics(b))
    turned = compute_frechet_distance(compute_statistics(a @ turn), compute_statistics(b @ turn))
    scaled = compute_frechet_distance(compute_statistics(2 * a), compute_statistics(2 * b))
    assert turned == pytest.approx(plain, rel=1e-9)
    assert scaled == pytest.approx(4 * plain, rel=1e-9)


def test_statistics_are_numpys_unbiased_ones():
    features = np.random.default_rng(7).standard_normal((50, 6)).astype(np.float32)
    statistics = compute_statistics(features)
    np.testing.assert_allclose(statistics.mean, features.astype(np.float64).mean(axis=0))
    expected = np.cov(features.astype(np.float64), rowvar=False)
    np.testing.assert_allclose(statistics.covariance, expected, rtol=1e-12)
    assert statistics.num_samples == 50


@pytest.mark.parametrize("num_samples", [0, 1])
def test_too_few_samples_are_refused(num_samples):
    with pytest.raises(MetricError, match="at least 2"):
        compute_statistics(np.zeros((num_samples, 3)))
    with pytest.raises(MetricError, match="at least 2"):
        compute_frechet_distance_from_features(
            np.zeros((num_samples, 3)), make_statistics(np.zeros(3), np.eye(3))
        )


def test_features_of_another_extractor_are_refused():
    reference = make_statistics(np.zeros(3), np.eye(3))
    with pytest.raises(MetricError, match="same extractor"):
        compute_frechet_distance_from_features(np.zeros((2, 4)), reference)
    with pytest.raises(MetricError, match="same extractor"):
        compute_frechet_distance(make_statistics(np.zeros(4), np.eye(4)), reference)
