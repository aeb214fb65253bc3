"""Precision, recall, density and coverage: points on a line by hand, and two other libraries."""

import numpy as np
import prdc
import pytest
import torch

from training.errors import MetricError
from training.metrics.manifold import (
    compute_coverage,
    compute_densities,
    compute_recall,
    find_inside,
    find_radii,
)


def on_line(*places):
    return np.array(places, dtype=np.float32)[:, None]


def draw(count, dim=5, shift=0.0, scale=1.0, seed=0):
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(count, dim)) * scale + shift).astype(np.float32)


# Radii to the 3rd nearest other: 0 -> 4, 1 -> 3, 2 -> 2, 4 -> 4 (from 3, 2, 4, 6), 10 -> 9.
REAL = on_line(0, 1, 2, 4, 10)


def test_radii_by_hand():
    np.testing.assert_allclose(find_radii(REAL, 3), [4, 3, 2, 4, 9], rtol=1e-6)
    np.testing.assert_allclose(find_radii(REAL, 1), [1, 1, 1, 2, 6], rtol=1e-6)


def test_twins_have_radius_zero_only_among_enough_of_them():
    """Three points at one place: each has two others at distance 0."""
    radii = find_radii(on_line(5, 5, 5, 6), 2)
    np.testing.assert_allclose(radii, [0, 0, 0, 1], atol=1e-6)


def test_radii_do_not_depend_on_the_blocks():
    features = draw(40)
    np.testing.assert_allclose(find_radii(features, 3, 7), find_radii(features, 3), rtol=1e-5)


def test_precision_by_hand():
    """The real balls reach -4..4, -2..4, 0..4, 0..8, 1..19."""
    samples = on_line(-5, -3.5, 3, 12, 20)
    assert list(find_inside(samples, REAL)) == [False, True, True, True, False]
    assert find_inside(samples, REAL).mean() == pytest.approx(3 / 5)


def test_recall_by_hand():
    """Real images within reach of the samples' balls.

    Samples 0.3, 0.4, 0.5, 0.9 have radii 0.6, 0.5, 0.4, 0.6, and reach -0.3..0.9, -0.1..0.9,
    0.1..0.9 and 0.3..1.5, in all -0.3 to 1.5: of the real 0, 1, 2, 4, 10 that holds the first two.
    """
    assert compute_recall(on_line(0.3, 0.4, 0.5, 0.9), REAL) == pytest.approx(2 / 5)


def test_density_and_coverage_by_hand():
    """Real 0, 1, 2, 3, 4, 20; radii to the 5th nearest, here the farthest: 20, 19, 18, 17, 16, 20.

    They reach -20..20, -18..20, -16..20, -14..20, -12..20 and 0..40. A sample at -13 lies in four
    balls, at 30 in one, at 10 in all six, at 50 in none.
    """
    real, samples = on_line(0, 1, 2, 3, 4, 20), on_line(-13, 30, 10, 50)
    np.testing.assert_allclose(compute_densities(samples, real), [0.8, 0.2, 1.2, 0])
    assert compute_densities(samples, real).mean() == pytest.approx(0.55)
    assert compute_coverage(samples[:1], real) == pytest.approx(4 / 6)
    assert compute_coverage(samples[1:2], real) == pytest.approx(1 / 6)
    assert compute_coverage(samples[:2], real) == pytest.approx(5 / 6)
    assert compute_coverage(samples[3:], real) == 0


CASES = [
    (draw(200), draw(200, seed=1)),
    (draw(150, scale=0.5, shift=0.4), draw(220, seed=1)),
    (draw(90, dim=40, scale=1.05), draw(120, dim=40, seed=1)),
    (draw(300, shift=30), draw(200, shift=30.3, seed=1)),
]


@pytest.mark.parametrize(("samples", "real"), CASES)
def test_precision_and_recall_are_torch_fidelitys(samples, real):
    pytest.importorskip("torch_fidelity")
    from torch_fidelity.metric_prc import calculate_precision_recall_full

    # In float64: their cdist rounds far from 0.
    expected = calculate_precision_recall_full(
        torch.from_numpy(samples).double(), torch.from_numpy(real).double(), neighborhood=3
    )
    found = find_inside(samples, real).mean(), compute_recall(samples, real)
    assert found == pytest.approx(expected, abs=1e-6)
    assert 0 < min(found) <= max(found) < 1


@pytest.mark.parametrize(("samples", "real"), CASES)
def test_density_and_coverage_are_those_of_the_authors_package(samples, real):
    """The package prdc is Naeem et al.'s own."""
    expected = prdc.compute_prdc(real.astype(float), samples.astype(float), nearest_k=5)
    assert compute_densities(samples, real).mean() == pytest.approx(expected["density"], abs=1e-9)
    assert compute_coverage(samples, real) == pytest.approx(expected["coverage"], abs=1e-9)
    assert expected["density"] > 0.05
    assert 0.05 < expected["coverage"] < 1


def test_perfect_samples_get_what_theory_says():
    """Naeem et al. 2020: density 1, and coverage 1 - prod (M - 1 - t) / (M - 1 + N - t), t < 5."""
    num_real, num, runs = 100, 60, 60
    sets = [(draw(num, 2, seed=2 * i), draw(num_real, 2, seed=2 * i + 1)) for i in range(runs)]
    missed = np.prod([(num_real - 1 - t) / (num_real - 1 + num - t) for t in range(5)])
    for function, expected in ((compute_densities, 1.0), (compute_coverage, 1 - missed)):
        values = [np.mean(function(*pair)) for pair in sets]
        assert abs(np.mean(values) - expected) < 4 * np.std(values) / np.sqrt(runs)


def test_a_collapsed_generator_is_precise_but_covers_nothing():
    real = draw(300)
    samples = np.repeat(real[:1], 200, axis=0)
    assert find_inside(samples, real).mean() == 1
    assert compute_recall(samples, real) <= 1 / 300
    assert compute_coverage(samples, real) < 0.1


def test_too_few_and_unlike_features_are_refused():
    with pytest.raises(MetricError, match=r"found 3 image.*at least 4"):
        find_inside(draw(10), draw(3))
    with pytest.raises(MetricError, match=r"found 5 image.*at least 6"):
        compute_coverage(draw(10), draw(5))
    with pytest.raises(MetricError, match="one extractor"):
        find_inside(draw(10, dim=4), draw(10))
    with pytest.raises(MetricError, match="at least one each"):
        compute_densities(draw(0), draw(10))
