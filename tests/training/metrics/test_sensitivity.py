"""Sensitivity of generators whose response to a step is known in closed form."""

import numpy as np
import pytest
import torch

from training.latents import sample_latents
from training.metrics.sensitivity import iter_sensitivity, make_direction, measure_changes

Z_DIM = 3
STEPS = (0.5, 1.0, 2.0)


def render_linear(latents, seed):
    """Make images of 4 pixels, all 128 + 10 times the first coordinate."""
    levels = 128 + 10 * latents[:, 0].double().numpy()
    return np.repeat(levels[:, None], 4, axis=1).round().astype(np.uint8)


def test_a_linear_generator_moves_by_its_slope():
    *_, last = iter_sensitivity(render_linear, Z_DIM, range(50), (100, 101), STEPS)
    for row, seed in enumerate((100, 101)):
        slope = 10 * abs(float(make_direction(seed, Z_DIM)[0]))
        # Rounding to whole levels adds up to half a level; averages over 50 points come close.
        assert last.changes[row] == pytest.approx(slope * np.array(STEPS), abs=0.3)


def test_changes_are_averages_over_the_base_points_so_far():
    updates = list(iter_sensitivity(render_linear, Z_DIM, (0, 1), (5,), STEPS))
    assert [update.base_seeds for update in updates] == [(0,), (0, 1)]
    singles = [
        next(iter_sensitivity(render_linear, Z_DIM, (s,), (5,), STEPS)).changes for s in (0, 1)
    ]
    assert updates[1].changes == pytest.approx((singles[0] + singles[1]) / 2)
    assert updates[0].between == 0


def test_between_is_the_distance_of_two_samples():
    *_, last = iter_sensitivity(render_linear, Z_DIM, (0, 1), (5,), STEPS)
    images = render_linear(sample_latents([0, 1], Z_DIM), 0).astype(float)
    assert last.between == pytest.approx(abs(images[0, 0] - images[1, 0]))


def test_a_generator_that_ignores_z_does_not_move():
    def render(latents, seed):
        return np.full((len(latents), 4), 9, np.uint8)

    *_, last = iter_sensitivity(render, Z_DIM, (0, 1), (5, 6), STEPS)
    assert (last.changes == 0).all()
    assert last.between == 0


def test_a_direction_has_length_1_and_is_its_seeds_latent():
    direction = make_direction(7, 20)
    assert float(direction.norm()) == pytest.approx(1)
    latent = sample_latents([7], 20)[0]
    assert torch.allclose(direction * latent.norm(), latent)


def test_change_is_the_root_mean_square_of_the_pixels():
    images = np.array([[[0, 0], [0, 0]], [[3, 4], [0, 0]]], np.uint8)
    assert measure_changes(images, images[0]).tolist() == [0, 2.5]
    assert measure_changes(images[:1], np.full((2, 2), 255, np.uint8)).tolist() == [255]
