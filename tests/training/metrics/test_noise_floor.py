"""The noise floor of Gaussian features, whose expected distances are known."""

import numpy as np
import pytest

from training.metrics.frechet import compute_frechet_distance, compute_statistics
from training.metrics.noise_floor import interpolate_noise_floor, measure_noise_floor

DIM = 8
# For N(0, I) in d dimensions, to first order in b = 1/N + 1/M: the means differ by d b, and the
# covariances add |S1 - S2|^2 / 4, of which d (d + 1) b / 4 is expected.
COEFFICIENT = DIM + DIM * (DIM + 1) / 4


@pytest.fixture(scope="module")
def gaussian_floor():
    features = np.random.default_rng(0).standard_normal((20_000, DIM))
    return dict(measure_noise_floor(features, compute_statistics(features)))


def test_the_ladder_ends_at_half_of_the_images(gaussian_floor):
    assert list(gaussian_floor) == [16, 32, 64, 128, 256, 512, 1000, 2000, 5000, 10_000]


@pytest.mark.parametrize("count", [128, 256, 512, 1000, 2000, 5000, 10_000])
def test_gaussian_features_have_the_expected_noise_floor(gaussian_floor, count):
    """One draw varies by about 20 %, since 44 numbers are compared; most are means of several."""
    expected = COEFFICIENT * (1 / count + 1 / 20_000)
    assert 0.6 * expected < gaussian_floor[count] < 1.5 * expected


def test_the_noise_floor_is_what_fresh_samples_score():
    """Against a small reference of many dimensions, where the first-order law does not hold."""
    generator = np.random.default_rng(1)
    scales = np.linspace(0.1, 2, 60)
    reals = generator.standard_normal((150, 60)) * scales
    reference = compute_statistics(reals)
    noise_floor = measure_noise_floor(reals, reference)
    for count in (30, 75, 300, 2000):
        fresh = [
            compute_frechet_distance(
                compute_statistics(generator.standard_normal((count, 60)) * scales), reference
            )
            for _ in range(20)
        ]
        expected = interpolate_noise_floor(noise_floor, count, 150)
        assert expected == pytest.approx(np.mean(fresh), rel=0.25)


@pytest.mark.parametrize(
    ("total", "counts"),
    [(4, [2]), (40, [16, 20]), (64, [16, 32]), (300, [16, 32, 64, 128, 150])],
)
def test_small_data_sets_get_the_counts_they_allow(total, counts):
    features = np.random.default_rng(2).standard_normal((total, 3))
    noise_floor = measure_noise_floor(features, compute_statistics(features))
    assert [count for count, _ in noise_floor] == counts
    assert all(score > 0 for _, score in noise_floor)


def test_measuring_twice_gives_the_same():
    features = np.random.default_rng(3).standard_normal((100, 5))
    statistics = compute_statistics(features)
    assert measure_noise_floor(features, statistics) == measure_noise_floor(features, statistics)


def test_copies_of_one_image_have_no_noise():
    features = np.ones((100, 5))
    noise_floor = measure_noise_floor(features, compute_statistics(features))
    assert all(score < 1e-9 for _, score in noise_floor)
    assert interpolate_noise_floor(noise_floor, 1000, 100) < 1e-9


def test_measured_counts_come_back_and_those_between_are_log_linear():
    noise_floor = ((100, 8.0), (400, 2.0))
    assert interpolate_noise_floor(noise_floor, 100, 10_000) == pytest.approx(8.0)
    assert interpolate_noise_floor(noise_floor, 400, 10_000) == pytest.approx(2.0)
    # 200 is the geometric mean of the counts, 4 that of the scores.
    assert interpolate_noise_floor(noise_floor, 200, 10_000) == pytest.approx(4.0)


def test_beyond_the_measured_counts_the_fitted_law_goes_on():
    """Scores made by 5 b^p have to be met exactly, whatever p in 0 to 1."""
    for power in (0.4, 1.0):

        def law(count, power=power):
            return 5 * (1 / count + 1 / 2000) ** power

        noise_floor = tuple((count, law(count)) for count in (64, 128, 256, 512, 1000))
        for count in (8, 2000, 50_000):
            found = interpolate_noise_floor(noise_floor, count, 2000)
            assert found == pytest.approx(law(count), rel=1e-9)
