"""Near-duplicates and the support size: generators with a known number of modes."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from training.metrics.duplicates import (
    MAX_SAMPLES,
    PairCount,
    choose_level,
    compute_count_interval,
    compute_scale,
    estimate_support,
    measure_duplicates,
)
from training.metrics.real_features import RealFeatures, measure_real_features

DIM = 16


@pytest.fixture(scope="module")
def real():
    """Return what 1,500 Gaussian images show: 1.1 million pairs, so 1e-5 is the smallest share."""
    features = np.random.default_rng(0).normal(size=(1500, DIM)).astype(np.float32)
    return measure_real_features(features, np.arange(1500))


def build_real(pair_quantiles):
    """Build real features of which only the pair distances matter."""
    blank = np.zeros((0, 1), np.float32)
    none = np.arange(0)
    return RealFeatures(none, blank, none, 5.0, pair_quantiles, np.zeros(101, np.float32))


def draw_from_modes(num_modes, count, deviation, seed):
    """Draw samples of equally likely Gaussian modes, each varying by so much."""
    generator = np.random.default_rng(seed)
    modes = generator.normal(size=(num_modes, DIM))
    noise = generator.normal(scale=deviation, size=(count, DIM))
    return (modes[generator.integers(0, num_modes, count)] + noise).astype(np.float32)


def test_pairs_counted_by_hand():
    samples = np.array([[0.0], [0.1], [5.0], [9.0]], np.float32)
    found = measure_duplicates(samples, build_real(((1e-2, 1.0), (0.5, 5.0))))
    # The distances are 0.1, 4, 4.9, 5, 8.9 and 9: their median is 4.95, 0.99 of the real one.
    assert found.chosen.distance == pytest.approx(0.99)
    assert (found.chosen.num_close, found.chosen.num_pairs) == (1, 6)
    assert [pair[:2] for pair in found.closest] == [(0, 1), (2, 3)]
    assert [pair[2] for pair in found.closest] == pytest.approx([0.1, 4.0], rel=1e-4)


def test_counts_over_several_blocks_are_those_of_scipy(real):
    samples = np.random.default_rng(1).normal(size=(2500, DIM)).astype(np.float32)
    found = measure_duplicates(samples, real)
    distances = pdist(samples.astype(np.float64))
    assert found.num_samples == 2500
    assert [level.real_share for level in found.levels] == [1e-5, 1e-4, 1e-3, 1e-2]
    for level in found.levels:
        assert level.num_pairs == len(distances)
        assert level.num_close == pytest.approx((distances < level.distance).sum(), abs=2)
    assert found.closest[0][2] == pytest.approx(distances.min(), rel=1e-3)
    first, second, _ = found.closest[0]
    assert squareform(distances)[first, second] == pytest.approx(distances.min())


def test_the_closest_pairs_share_no_sample(real):
    samples = draw_from_modes(2, 100, 0.01, seed=2)
    found = measure_duplicates(samples, real)
    assert len(found.closest) == 8
    assert len({index for first, second, _ in found.closest for index in (first, second)}) == 16
    distances = [distance for *_, distance in found.closest]
    assert distances == sorted(distances)


@pytest.mark.parametrize("num_modes", [1, 10, 100, 1000])
def test_the_support_of_a_collapsed_generator_is_found(real, num_modes):
    for seed in range(3):
        samples = draw_from_modes(num_modes, 1000, 0.05, seed)
        support = measure_duplicates(samples, real).support
        assert support.value == pytest.approx(num_modes, rel=0.2)
        low, high = support.interval
        assert low <= support.value <= high <= 1.5 * num_modes


def test_modes_that_vary_beyond_the_smallest_distance_are_still_found(real):
    samples = draw_from_modes(10, 1000, 0.45, seed=0)
    found = measure_duplicates(samples, real)
    # Of the pairs of one mode, a tenth of all, five in six lie beyond the smallest distance.
    assert found.levels[0].num_close < 0.1 * found.levels[0].num_pairs / 5
    assert found.chosen.real_share > found.levels[0].real_share
    assert found.support.value == pytest.approx(12, rel=0.3)


def test_unequal_modes_count_by_the_inverse_of_simpson(real):
    generator = np.random.default_rng(3)
    modes = generator.normal(size=(3, DIM))
    chosen = generator.choice(3, 2000, p=(0.8, 0.1, 0.1))
    samples = (modes[chosen] + generator.normal(scale=0.01, size=(2000, DIM))).astype(np.float32)
    support = measure_duplicates(samples, real).support
    assert support.value == pytest.approx(1 / (0.8**2 + 2 * 0.1**2), rel=0.05)


def test_a_healthy_generator_has_no_more_pairs_than_real_images(real):
    for seed in range(10, 15):
        samples = np.random.default_rng(seed).normal(size=(1000, DIM)).astype(np.float32)
        support = measure_duplicates(samples, real).support
        assert support.value is None or support.interval[0] > 10_000
        assert support.interval[0] > 10_000


def test_blurred_samples_are_not_taken_for_duplicates(real):
    samples = np.random.default_rng(4).normal(scale=0.7, size=(1000, DIM)).astype(np.float32)
    found = measure_duplicates(samples, real)
    assert compute_scale(samples, 1.0) == 1.0
    known = dict(real.pair_quantiles)
    assert found.chosen.distance == pytest.approx(0.7 * known[1e-5], rel=0.02)
    # At the real images' own distance there would be a hundred pairs for each one expected.
    assert (pdist(samples) < known[1e-4]).sum() > 10 * 1e-4 * 499_500
    assert found.support.interval[0] > 10_000


def test_the_distance_shrinks_to_half_at_the_least(real):
    samples = draw_from_modes(1, 50, 0.001, seed=5)
    assert measure_duplicates(samples, real).levels[0].distance == pytest.approx(
        0.5 * dict(real.pair_quantiles)[1e-5]
    )


def test_without_a_pair_there_is_a_lower_bound():
    support = estimate_support(PairCount(1e-5, 1.0, 0, 499_500))
    # A Poisson count of mean 3.689 is 0 in 2.5 % of draws.
    assert support.value is None
    assert support.interval == (pytest.approx(499_500 / 3.6889, rel=1e-4), None)


def test_as_many_pairs_as_real_images_have_bound_nothing():
    support = estimate_support(PairCount(1e-5, 1.0, 5, 500_000))
    assert support.value is None
    assert support.interval[0] == pytest.approx(500_000 / 11.668, rel=1e-3)


def test_what_real_images_have_is_taken_off():
    support = estimate_support(PairCount(1e-3, 1.0, 3000, 1_000_000))
    assert support.value == pytest.approx(0.999 / 0.002)


def test_the_interval_of_a_count_is_garwoods():
    assert compute_count_interval(PairCount(1e-5, 1.0, 10, 1000)) == pytest.approx(
        (4.7954, 18.3904), rel=1e-4
    )
    wider = compute_count_interval(PairCount(1e-5, 1.0, 10, 1000, dispersion=2.0))
    assert wider == pytest.approx((2 * 1.6235, 2 * 11.6683), rel=1e-4)


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_the_interval_covers_the_truth(power):
    shares = np.arange(1, 201) ** -power
    shares /= shares.sum()
    truth = 1 / np.square(shares).sum()
    generator = np.random.default_rng(6)
    real = build_real(((1e-5, 1.0), (0.5, 5.0)))
    num_covered = 0
    for _ in range(200):
        samples = 100 * generator.choice(200, 300, p=shares)[:, None].astype(np.float32)
        low, high = measure_duplicates(samples, real).support.interval
        num_covered += low <= truth <= high
    assert 0.9 * 200 <= num_covered <= 199


def test_the_widest_group_of_its_own_is_judged_by():
    def count(share, num_close):
        return PairCount(share, 1.0, num_close, 1_000_000)

    base = count(1e-5, 900)
    assert choose_level((base, count(1e-4, 4000), count(1e-3, 9000))) is base  # few beyond
    wide = count(1e-4, 1700)
    assert choose_level((count(1e-5, 100), count(1e-4, 20_000), count(1e-3, 30_000))).num_close == (
        30_000
    )
    assert choose_level((base, wide)).num_close == 900  # not many: real images would have 100
    assert choose_level((base, count(1e-4, 2100))).num_close == 900  # grows beyond


def test_no_more_than_5_000_samples_are_paired(real):
    samples = np.random.default_rng(7).normal(size=(MAX_SAMPLES + 500, DIM)).astype(np.float32)
    assert measure_duplicates(samples, real).num_samples == MAX_SAMPLES


def test_nothing_is_measured_of_one_sample_or_without_real_pairs(real):
    assert measure_duplicates(np.zeros((1, DIM), np.float32), real) is None
    assert measure_duplicates(np.zeros((5, 1), np.float32), build_real(((0.5, 5.0),))) is None
