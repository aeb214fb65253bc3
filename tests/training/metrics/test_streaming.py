"""Statistics in batches against NumPy's two passes over everything."""

import numpy as np
import pytest

from training.errors import MetricError
from training.metrics.frechet import compute_frechet_distance, compute_statistics
from training.metrics.streaming import RunningStatistics, remove_samples

DIM = 12


def make_features(num_samples=200, seed=0):
    generator = np.random.default_rng(seed)
    mixing = generator.standard_normal((DIM, DIM))
    return generator.standard_normal((num_samples, DIM)) @ mixing + 3


def collect(features, batch_size):
    running = RunningStatistics(features.shape[1])
    for start in range(0, len(features), batch_size):
        running.update(features[start : start + batch_size])
    return running


def assert_statistics_equal(found, expected, rtol=1e-10):
    assert found.num_samples == expected.num_samples
    np.testing.assert_allclose(found.mean, expected.mean, rtol=rtol, atol=rtol)
    scale = np.abs(expected.covariance).max()
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=0, atol=rtol * scale)


@pytest.mark.parametrize("batch_size", [1, 7, 11, 12, 13, 64, 200, 1000])
@pytest.mark.parametrize("num_samples", [2, 11, 12, 13, 200])
def test_batches_give_the_statistics_of_the_whole(batch_size, num_samples):
    features = make_features(num_samples)
    expected = compute_statistics(features)
    assert_statistics_equal(collect(features, batch_size).statistics(), expected)


def test_order_does_not_matter():
    features = make_features()
    shuffled = features[np.random.default_rng(1).permutation(len(features))]
    assert_statistics_equal(collect(shuffled, 32).statistics(), collect(features, 32).statistics())


def test_a_huge_offset_does_not_swallow_the_variance():
    """Sums of squares would lose all digits here: the offset squared is 1e18, the variance 1."""
    generator = np.random.default_rng(3)
    features = generator.standard_normal((3000, 4)) + 1e9
    expected = np.cov(features, rowvar=False)  # two passes
    found = collect(features, 17).statistics().covariance
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.all(np.abs(np.diag(found) - 1) < 0.1)


def test_memory_does_not_grow_with_the_number_of_samples():
    running = RunningStatistics(DIM)
    for _ in range(50):
        running.update(np.ones((30, DIM), dtype=np.float32))
        assert sum(part.nbytes for part in running._kept) <= DIM * DIM * 8
    assert running.num_samples == 1500


def test_the_distance_is_that_of_the_statistics_on_both_sides_of_the_dimension():
    reference = compute_statistics(make_features(400, seed=9))
    running = RunningStatistics(DIM)
    for part in np.split(make_features(40), 10):
        running.update(part)
        expected = compute_frechet_distance(running.statistics(), reference)
        assert running.compute_frechet_distance(reference) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("sizes", [(3, 4), (5, 30), (30, 5), (100, 100), (6, 6), (0, 20), (40, 0)])
def test_merged_workers_have_the_statistics_of_all_samples(sizes):
    features = make_features(sum(sizes))
    one, other = collect(features[: sizes[0]], 9), collect(features[sizes[0] :], 7)
    merged = one.merge(other)
    assert_statistics_equal(merged.statistics(), compute_statistics(features))
    more = make_features(50, seed=4)
    merged.update(more)
    expected = compute_statistics(np.concatenate([features, more]))
    assert_statistics_equal(merged.statistics(), expected)


def test_merging_leaves_both_workers_as_they_are():
    features = make_features(60)
    one, other = collect(features[:40], 9), collect(features[40:], 7)
    one.merge(other).update(make_features(30, seed=5))
    assert_statistics_equal(one.statistics(), compute_statistics(features[:40]))
    assert_statistics_equal(other.statistics(), compute_statistics(features[40:]))


def test_workers_with_other_features_do_not_merge():
    with pytest.raises(MetricError, match="found 12 and 3 features"):
        RunningStatistics(DIM).merge(RunningStatistics(3))


def test_empty_batches_change_nothing():
    running = collect(make_features(30), 7)
    running.update(np.zeros((0, DIM)))
    assert_statistics_equal(running.statistics(), compute_statistics(make_features(30)))


def test_reading_the_statistics_changes_nothing():
    features = make_features(8)
    running = collect(features[:4], 4)
    running.statistics()
    running.update(features[4:])
    assert_statistics_equal(running.statistics(), compute_statistics(features))


def test_later_changes_to_a_batch_do_not_reach_the_statistics():
    batch = make_features(6)
    expected = compute_statistics(batch)
    running = collect(batch, 6)
    batch[:] = 0
    assert_statistics_equal(running.statistics(), expected)


def test_removing_samples_leaves_the_statistics_of_the_others():
    features = make_features(100)
    whole, part = compute_statistics(features), compute_statistics(features[:37])
    assert_statistics_equal(remove_samples(whole, part), compute_statistics(features[37:]), 1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(value):
    features = make_features(4)
    features[2, 5] = value
    with pytest.raises(MetricError, match="not finite"):
        RunningStatistics(DIM).update(features)


def test_features_of_another_shape_are_refused():
    with pytest.raises(MetricError, match=r"\(3, 5\)"):
        RunningStatistics(DIM).update(np.zeros((3, 5)))


def test_one_sample_has_no_covariance():
    running = collect(make_features(1), 1)
    with pytest.raises(MetricError, match="at least 2"):
        running.statistics()
    with pytest.raises(MetricError, match="at least 2"):
        running.compute_frechet_distance(compute_statistics(make_features()))
