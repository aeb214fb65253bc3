"""Latents against closed forms worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from explorer.latents import (
    INTERPOLATIONS,
    interpolate_lerp,
    interpolate_slerp,
    parse_seeds,
    sample_latents,
    truncate_latents,
)
from training.errors import ConfigError

X = torch.tensor([1.0, 0.0])
Y = torch.tensor([0.0, 1.0])


def test_slerp_halves_a_right_angle() -> None:
    assert_close(interpolate_slerp(X, Y, 0.5), torch.tensor([0.5**0.5, 0.5**0.5]))


def test_slerp_turns_at_constant_speed() -> None:
    angles = torch.tensor([0.0, 30.0, 60.0, 90.0]).deg2rad()
    expected = torch.stack([angles.cos(), angles.sin()], dim=1)
    assert_close(interpolate_slerp(X, Y, torch.tensor([0, 1 / 3, 2 / 3, 1])), expected)


def test_slerp_goes_linearly_from_norm_to_norm() -> None:
    midway = interpolate_slerp(2 * X, 6 * Y, 0.25)
    expected = 3 * torch.tensor([math.cos(math.pi / 8), math.sin(math.pi / 8)])
    assert_close(midway, expected)


def test_slerp_takes_the_shorter_way_round() -> None:
    b = torch.tensor([math.cos(math.radians(-120)), math.sin(math.radians(-120))])
    expected = torch.tensor([math.cos(math.radians(-60)), math.sin(math.radians(-60))])
    assert_close(interpolate_slerp(X, b, 0.5), expected)


@pytest.mark.parametrize("scale", [1.0, 0.25, 5.0])
def test_slerp_of_parallel_vectors_is_the_straight_line(scale: float) -> None:
    a = torch.tensor([3.0, 4.0, 12.0])
    t = torch.linspace(0, 1, 5)
    assert_close(interpolate_slerp(a, scale * a, t), interpolate_lerp(a, scale * a, t))


def test_slerp_of_nearly_parallel_vectors_is_nearly_the_straight_line() -> None:
    a = torch.tensor([3.0, 4.0])
    b = a + torch.tensor([1e-6, -1e-6])
    assert_close(interpolate_slerp(a, b, 0.5), (a + b) / 2)


def test_slerp_of_opposite_vectors_passes_the_most_perpendicular_axis() -> None:
    a = torch.tensor([0.0, 2.0, 0.0])  # axes 0 and 2 are both perpendicular: the first is taken
    path = interpolate_slerp(a, -a, torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))
    half = 2**0.5
    expected = [[0, 2, 0], [half, half, 0], [2, 0, 0], [half, -half, 0], [0, -2, 0]]
    assert_close(path, torch.tensor(expected))


def test_slerp_of_opposite_latents_stays_on_the_sphere() -> None:
    a = sample_latents([5], 100)[0]
    path = interpolate_slerp(a, -a, torch.linspace(0, 1, 9))
    assert_close(path.norm(dim=1), a.norm().expand(9))
    steps = (path[1:] - path[:-1]).norm(dim=1)
    assert_close(steps, steps[:1].expand(8))


@pytest.mark.parametrize(("a", "b"), [(X, 0 * X), (0 * X, X), (0 * X, 0 * X)])
def test_slerp_with_a_zero_vector_is_the_straight_line(a: Tensor, b: Tensor) -> None:
    t = torch.linspace(0, 1, 5)
    assert torch.equal(interpolate_slerp(a, b, t), interpolate_lerp(a, b, t))


def test_slerp_in_one_dimension_is_finite() -> None:
    path = interpolate_slerp(torch.tensor([1.0]), torch.tensor([-1.0]), torch.linspace(0, 1, 4))
    assert torch.isfinite(path).all()


def test_lerp_is_the_straight_line() -> None:
    path = interpolate_lerp(torch.tensor([1.0, 2.0]), torch.tensor([3.0, -2.0]), 0.25)
    assert torch.equal(path, torch.tensor([1.5, 1.0]))


@pytest.mark.parametrize("method", INTERPOLATIONS)
def test_endpoints_are_exact(method: str) -> None:
    a, b = sample_latents([1, 2], 100)
    path = INTERPOLATIONS[method](a, b, torch.tensor([0.0, 0.3, 1.0]))
    assert path.dtype == torch.float32
    assert torch.equal(path[0], a)
    assert torch.equal(path[2], b)
    assert not torch.equal(path[1], a)


@pytest.mark.parametrize("method", INTERPOLATIONS)
def test_rows_are_interpolated_by_themselves(method: str) -> None:
    a, b = sample_latents([1, 2, 3], 10), sample_latents([4, 5, 6], 10)
    both = INTERPOLATIONS[method](a, b, 0.3)
    assert_close(both[1], INTERPOLATIONS[method](a[1], b[1], 0.3))
    own = INTERPOLATIONS[method](a, b, torch.tensor([0.1, 0.2, 0.3]))
    assert_close(own[2], INTERPOLATIONS[method](a[2], b[2], 0.3))


@pytest.mark.parametrize("t", [-0.01, 1.01, math.nan])
@pytest.mark.parametrize("method", INTERPOLATIONS)
def test_positions_outside_are_refused(method: str, t: float) -> None:
    with pytest.raises(ConfigError, match=r"in \[0, 1\]"):
        INTERPOLATIONS[method](X, Y, t)


def test_latents_of_different_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"\(2,\) and \(3,\)"):
        interpolate_slerp(X, torch.zeros(3), 0.5)


def test_truncation_shortens_and_0_makes_all_seeds_equal() -> None:
    """Truncation multiplies each component, so that at 0 nothing is left that tells seeds apart."""
    latents = torch.tensor([[2.0, -4.0]])
    assert torch.equal(truncate_latents(latents, 0.5), torch.tensor([[1.0, -2.0]]))
    assert torch.equal(truncate_latents(latents, 1), latents)
    assert torch.equal(truncate_latents(latents, 0), torch.zeros(1, 2))


@pytest.mark.parametrize("truncation", [-0.1, 1.1, math.nan])
def test_truncation_outside_is_refused(truncation: float) -> None:
    """The sentence promises no average image: G(0) is not one."""
    with pytest.raises(
        ConfigError, match=r"from 0 \(one image for all seeds\) to 1 \(z as drawn\)"
    ):
        truncate_latents(torch.zeros(1, 2), truncation)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("7", [7]),
        ("0-3", [0, 1, 2, 3]),
        ("9, 2-4 ,2", [9, 2, 3, 4, 2]),
        ("5 - 6 8", [5, 6, 8]),
        ("4294967295", [2**32 - 1]),
    ],
)
def test_seeds_are_read_in_order(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "No seeds"),
        ("1,x", "'x' is not a number"),
        ("-3", "'-3' is not a number"),
        ("1-2-3", "not a number or range"),
        ("1.5", "not a number"),
        ("5-2", "backwards; write 2-5"),
        ("4294967296", "out of range"),
        (5000 * "9", "is not a number"),
        ("0-4096", "more than 4096"),
        ("0-4294967295", "more than 4096"),
    ],
)
def test_wrong_seeds_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse_seeds(text)
