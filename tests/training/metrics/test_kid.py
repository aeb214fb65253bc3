"""KID: sums by hand, torch-fidelity's value, and a standard error that matches the scatter."""

import numpy as np
import pytest

from training.errors import MetricError
from training.metrics.kid import compute_kid, sum_kernels

GENERATOR = np.random.default_rng(0)


def draw(count, dim=8, shift=0.0, generator=GENERATOR):
    return (generator.normal(size=(count, dim)) + shift).astype(np.float32)


def test_three_points_against_three_by_hand():
    """With d = 1 the kernel is (x y + 1)^3.

    Samples 0, 1, 2: pairs 01, 02 -> 1, 12 -> 27; mean of three pairs 29/3. Real -1, 0, 1:
    pairs with 0 -> 1, (-1)(1) -> 0; mean 2/3. Across, by rows: 1, 1, 1; 0, 1, 8; -1, 1, 27; sum 39.
    """
    found = compute_kid(np.array([[0.0], [1], [2]]), np.array([[-1.0], [0], [1]]))
    assert found.value == pytest.approx(29 / 3 + 2 / 3 - 2 * 39 / 9, rel=1e-12)


def test_the_standard_error_is_the_brute_force_jackknife():
    """Leave every point out in turn and compute the whole statistic anew."""
    features, real = draw(7, shift=0.5), draw(9)
    found = compute_kid(features, real)
    variance = 0.0
    for which in (0, 1):
        sets = (features, real)
        values = []
        for i in range(len(sets[which])):
            left = [np.delete(part, i, 0) if part is sets[which] else part for part in sets]
            values.append(compute_kid(*left).value)
        variance += (len(values) - 1) / len(values) * np.sum((values - np.mean(values)) ** 2)
    assert found.standard_error == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_the_value_is_torch_fidelitys_on_the_whole_sets():
    """Their estimate draws subsets; one as large as the set leaves nothing to chance."""
    pytest.importorskip("torch_fidelity")
    import torch
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    features, real = draw(120, dim=32, shift=0.2), draw(120, dim=32)
    theirs = kid_features_to_metric(
        torch.from_numpy(features).double(), torch.from_numpy(real).double(),
        kid_subsets=1, kid_subset_size=120, verbose=False, kid_kernel="poly",
        kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1,
    )  # fmt: skip
    assert compute_kid(features, real).value == pytest.approx(theirs[KEY_METRIC_KID_MEAN], rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_standard_error_matches_the_scatter_of_many_runs(shift):
    """Both sets are drawn anew 200 times; the statistic degenerates without a shift."""
    generator = np.random.default_rng(1)
    runs = [
        compute_kid(draw(60, 4, shift, generator), draw(80, 4, 0, generator)) for _ in range(200)
    ]
    scatter = np.std([run.value for run in runs], ddof=1)
    error = np.sqrt(np.mean([run.standard_error**2 for run in runs]))
    assert 0.85 < error / scatter < (1.2 if shift else 2.0)
    mean = np.mean([run.value for run in runs])
    assert abs(mean) < 4 * scatter / np.sqrt(200) if not shift else mean > 10 * scatter / 200**0.5


def test_the_expectation_does_not_depend_on_the_number_of_samples():
    """The closed form for normal x, y of mean m and 0 and covariance 1, with d = 1: by moments.

    E k = E (x y + 1)^3 = E (xy)^3 + 3 E (xy)^2 + 3 E xy + 1. With a = E x^3 = m^3 + 3 m and
    b = E x^2 = m^2 + 1: within the samples a^2 + 3 b^2 + 3 m^2 + 1, within the real ones 4,
    across 3 b + 1.
    """
    m = 0.5
    cube, square = m**3 + 3 * m, m**2 + 1
    expected = cube**2 + 3 * square**2 + 3 * m**2 + 1 + 4 - 2 * (3 * square + 1)
    generator = np.random.default_rng(2)
    for count, num_runs in ((5, 4000), (40, 1000)):
        values = [
            compute_kid(
                draw(count, 1, m, generator).astype(float), draw(count, 1, 0, generator)
            ).value
            for _ in range(num_runs)
        ]
        assert abs(np.mean(values) - expected) < 4 * np.std(values) / np.sqrt(num_runs)


def test_blocks_order_and_sums_given_do_not_change_it():
    features, real = draw(50, shift=0.3), draw(33)
    expected = compute_kid(features, real)
    blocks = compute_kid(features, real, block_rows=7)
    reordered = compute_kid(features[::-1], real, real_sums=sum_kernels(real, block_rows=5))
    for found in (blocks, reordered):
        assert found.value == pytest.approx(expected.value, rel=1e-10)
        assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-10)


def test_features_far_from_zero_keep_their_digits():
    """In float32 the kernels' sums would lose a small difference."""
    features = draw(100, shift=20.0)
    real = draw(100, shift=20.0)
    exact = [part.astype(np.float64) for part in (features, real)]
    kernels = [(a @ b.T / 8 + 1) ** 3 for a, b in ((exact[0],) * 2, (exact[1],) * 2, exact)]
    expected = sum((k.sum() - np.trace(k)) / (100 * 99) for k in kernels[:2])
    expected -= 2 * kernels[2].mean()
    assert compute_kid(features, real).value == pytest.approx(expected, rel=1e-6)


def test_too_few_and_unlike_features_are_refused():
    with pytest.raises(MetricError, match="found 2 samples and 9 real images, expected at least 3"):
        compute_kid(draw(2), draw(9))
    with pytest.raises(MetricError, match="one extractor"):
        compute_kid(draw(5, dim=3), draw(5, dim=4))
