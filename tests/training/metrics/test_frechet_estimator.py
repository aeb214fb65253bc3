"""Intervals and extrapolation of the Frechet distance, against distributions known exactly."""

import numpy as np
import pytest

from training.errors import MetricError
from training.metrics.frechet import (
    FeatureStatistics,
    compute_frechet_distance,
    compute_frechet_distance_from_features,
    compute_influences,
    compute_influences_of_few,
    compute_optimal_map,
    compute_statistics,
)
from training.metrics.frechet_estimator import FrechetEstimator

NUM_RUNS = 150


def make_gaussians(dim, gap, seed=0):
    """Make a reference and a model, Gaussians of falling spectra in different directions."""
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(generator.standard_normal((dim, dim)))[0]
    here = np.diag(np.exp(-4 * np.arange(dim) / dim))
    there = (turn * np.exp(-3 * np.arange(dim) / dim)) @ turn.T
    reference = FeatureStatistics(np.zeros(dim), here, 10**6)
    model = FeatureStatistics(np.full(dim, gap / np.sqrt(dim)), there, 10**6)
    return reference, model


def draw(model, count, generator):
    root = np.linalg.cholesky(model.covariance)
    return generator.standard_normal((count, model.dim)) @ root.T + model.mean


def estimate(features, reference, batch_size=10**6):
    estimator = FrechetEstimator(reference)
    for start in range(0, len(features), batch_size):
        estimator.update(features[start : start + batch_size])
    return estimator.compute()


@pytest.fixture(scope="module", params=[(16, 0.5), (16, 2.0), (40, 1.0)], ids=str)
def simulated(request):
    """Estimate from 4 d samples, 150 times; returns the true distance and the estimates."""
    dim, gap = request.param
    reference, model = make_gaussians(dim, gap)
    generator = np.random.default_rng(dim)
    runs = [estimate(draw(model, 4 * dim, generator), reference) for _ in range(NUM_RUNS)]
    return compute_frechet_distance(model, reference), runs


def count_covered(truth, intervals):
    return sum(low <= truth <= high for low, high in intervals) / len(intervals)


def test_the_interval_covers_what_so_many_samples_score_on_average(simulated):
    _, runs = simulated
    expected = float(np.mean([run.value for run in runs]))
    # Four standard deviations of 150 runs below 95 %.
    assert 0.88 <= count_covered(expected, [run.interval for run in runs]) <= 0.99


def test_the_interval_of_the_limit_covers_the_true_distance(simulated):
    truth, runs = simulated
    assert 0.88 <= count_covered(truth, [run.infinite_n_interval for run in runs]) <= 0.99


def test_the_limit_takes_most_of_the_bias_out(simulated):
    truth, runs = simulated
    bias = np.mean([run.value for run in runs]) - truth
    left = np.mean([run.infinite_n for run in runs]) - truth
    assert bias > 0
    assert abs(left) < 0.25 * bias


@pytest.mark.parametrize("num_samples", [40, 100, 160, 400])
def test_the_limit_is_nearer_to_the_truth_than_the_plain_score_nine_times_in_ten(num_samples):
    """With as many features as a network has, bias outweighs chance: here d is 200."""
    reference, model = make_gaussians(200, 0.5)
    truth = compute_frechet_distance(model, reference)
    generator = np.random.default_rng(num_samples)
    runs = [estimate(draw(model, num_samples, generator), reference) for _ in range(40)]
    is_nearer = [abs(run.infinite_n - truth) < abs(run.value - truth) for run in runs]
    assert np.mean(is_nearer) >= 0.9
    if num_samples >= 100:
        assert count_covered(truth, [run.infinite_n_interval for run in runs]) >= 0.9


def test_real_against_real_has_a_limit_of_zero():
    reference, _ = make_gaussians(60, 0)
    run = estimate(draw(reference, 400, np.random.default_rng(1)), reference)
    assert run.value > 0.35
    assert abs(run.infinite_n) < 0.15 * run.value
    assert run.infinite_n_interval[0] < 0 < run.infinite_n_interval[1]


@pytest.mark.parametrize("num_samples", [16, 47, 48, 49, 100, 300])
def test_the_estimate_depends_on_neither_batches_nor_earlier_questions(num_samples):
    reference, model = make_gaussians(48, 1.0)
    features = draw(model, num_samples, np.random.default_rng(2)).astype(np.float32)
    whole = estimate(features, reference)
    questioned = FrechetEstimator(reference)
    for start in range(0, num_samples, 7):
        questioned.update(features[start : start + 7])
        if questioned.num_samples >= 16:
            questioned.compute(is_exact=False)
            questioned.renew()
    for other in (estimate(features, reference, 1), questioned.compute()):
        assert other.value == pytest.approx(whole.value, rel=1e-6)
        assert other.interval == pytest.approx(whole.interval, rel=1e-5)
        assert other.infinite_n == pytest.approx(whole.infinite_n, rel=1e-5)
        assert other.infinite_n_interval == pytest.approx(whole.infinite_n_interval, rel=1e-5)


def test_the_value_is_the_plain_distance():
    reference, model = make_gaussians(30, 1.0)
    for count in (20, 200):
        features = draw(model, count, np.random.default_rng(count))
        expected = compute_frechet_distance_from_features(features, reference)
        assert estimate(features, reference).value == pytest.approx(expected, rel=1e-9)


def test_the_limit_is_the_quadratic_through_whole_halves_and_quarters():
    reference, model = make_gaussians(12, 1.0)
    features = draw(model, 64, np.random.default_rng(3))

    def score(*parts):
        chosen = [i for i in range(64) if i % 4 in parts]
        return compute_frechet_distance_from_features(features[chosen], reference)

    sizes = np.array([1 / 64, 1 / 32, 1 / 16])
    half, quarters = (score(0, 2) + score(1, 3)) / 2, [score(k) for k in range(4)]
    curve = np.polyfit(sizes, [score(0, 1, 2, 3), half, np.mean(quarters)], 2)
    assert estimate(features, reference).infinite_n == pytest.approx(curve[-1], rel=1e-6)


@pytest.mark.parametrize("num_samples", [30, 31, 200])
def test_influences_are_the_derivatives_of_the_distance(num_samples):
    """Weighing one sample up a little moves the distance by its influence, on both sides of d."""
    reference, model = make_gaussians(30, 1.0)
    features = draw(model, num_samples, np.random.default_rng(4))
    if num_samples <= 30:
        found = compute_influences_of_few(features, reference)
    else:
        optimal_map = compute_optimal_map(compute_statistics(features), reference)
        found = compute_influences(features, optimal_map)

    def score(weights):
        mean = weights @ features
        centred = features - mean
        covariance = (centred * weights[:, None]).T @ centred
        return compute_frechet_distance(FeatureStatistics(mean, covariance, num_samples), reference)

    even, step = np.full(num_samples, 1 / num_samples), 1e-4
    for chosen in (0, 7, num_samples - 1):
        towards = np.zeros(num_samples)
        towards[chosen] = 1
        slope = (
            score((1 - step) * even + step * towards) - score((1 + step) * even - step * towards)
        ) / (2 * step)
        # Influences are of the unbiased covariance; N / (N - 1) of rounding apart.
        assert found[chosen] == pytest.approx(slope, rel=0.05, abs=0.05 * np.abs(found).max())


def test_between_exact_estimates_interval_and_bias_shrink_as_samples_come():
    reference, model = make_gaussians(10, 1.0)
    features = draw(model, 120, np.random.default_rng(5))
    estimator = FrechetEstimator(reference)
    estimator.update(features[:100])
    first = estimator.compute()
    estimator.update(features[100:])
    scaled = estimator.compute(is_exact=False)
    assert scaled.value - scaled.infinite_n == pytest.approx(
        (first.value - first.infinite_n) * 100 / 120
    )
    exact = estimator.compute()
    assert exact.infinite_n == pytest.approx(estimate(features, reference).infinite_n)


def test_stale_intervals_and_limits_are_measured_anew_piece_by_piece():
    reference, model = make_gaussians(10, 1.0)
    features = draw(model, 130, np.random.default_rng(8))
    estimator = FrechetEstimator(reference)
    estimator.update(features[:100])
    old = estimator.compute()
    estimator.update(features[100:129])
    assert not estimator.renew()  # 129 samples are fewer than 1.3 times 100
    estimator.update(features[129:])
    fresh = estimate(features, reference)
    # The optimal map and the influences come first, and with them the interval.
    assert estimator.renew()
    assert estimator.renew()
    run = estimator.compute(is_exact=False)
    assert run.interval == pytest.approx(fresh.interval)
    assert run.value - run.infinite_n == pytest.approx((old.value - old.infinite_n) * 100 / 130)
    assert [estimator.renew() for _ in range(7)] == [True] * 6 + [False]  # halves and quarters
    run = estimator.compute(is_exact=False)
    assert run.infinite_n == pytest.approx(fresh.infinite_n)
    assert run.infinite_n_interval == pytest.approx(fresh.infinite_n_interval)


def test_samples_may_come_between_the_pieces():
    """Each excess is scaled from its own moment: together they follow the bias."""
    reference, model = make_gaussians(10, 1.0)
    features = draw(model, 2000, np.random.default_rng(9))
    estimator = FrechetEstimator(reference)
    estimator.update(features[:500])
    old = estimator.compute()
    for end in range(660, 2000, 20):
        estimator.update(features[estimator.num_samples : end])
        estimator.renew()
    run, fresh = estimator.compute(is_exact=False), estimate(features[:1980], reference)
    assert old.interval[1] - old.interval[0] > 1.5 * (run.interval[1] - run.interval[0])
    assert np.diff(run.interval) == pytest.approx(np.diff(fresh.interval), rel=0.1)
    assert run.infinite_n == pytest.approx(fresh.infinite_n, abs=0.1 * np.diff(fresh.interval)[0])


def test_a_growth_of_one_leaves_nothing_for_the_exact_estimate():
    reference, model = make_gaussians(10, 1.0)
    features = draw(model, 101, np.random.default_rng(10))
    estimator = FrechetEstimator(reference)
    estimator.update(features[:100])
    estimator.compute()
    assert not estimator.renew(growth=1)
    estimator.update(features[100:])
    assert [estimator.renew(growth=1) for _ in range(9)] == [True] * 8 + [False]
    scaled, exact = estimator.compute(is_exact=False), estimator.compute()
    assert scaled == exact
    assert exact.infinite_n == pytest.approx(estimate(features, reference).infinite_n)


def test_memory_stops_growing():
    reference, model = make_gaussians(16, 1.0)
    estimator = FrechetEstimator(reference)
    sizes = []
    for _ in range(20):
        estimator.update(draw(model, 200, np.random.default_rng(6)))
        kept = [estimator._first, *(part._kept for part in estimator._parts)]
        sizes.append(sum(array.nbytes for arrays in kept for array in arrays))
    assert sizes[-1] == sizes[9] <= (1024 + 5 * 16) * 16 * 8
    assert estimator.num_samples == 4000


@pytest.mark.parametrize("num_samples", [0, 1, 15])
def test_too_few_samples_are_refused(num_samples):
    reference, model = make_gaussians(4, 1.0)
    estimator = FrechetEstimator(reference)
    estimator.update(draw(model, num_samples, np.random.default_rng(7)))
    with pytest.raises(
        MetricError, match=rf"found {num_samples} sample\(s\), expected at least 16"
    ):
        estimator.compute()
