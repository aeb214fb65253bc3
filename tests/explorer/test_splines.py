"""The smooth way, on circles and lines where its places are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from explorer.latents import sample_latents
from explorer.paths import follow_path


def make_circle(degrees: list[float], radii: list[float] | None = None) -> torch.Tensor:
    """Return points of a plane in three dimensions, at angles and distances from the origin."""
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    points = torch.stack([angles.cos(), angles.sin(), 0 * angles], dim=1)
    return points * torch.tensor(radii or [1.0] * len(degrees), dtype=torch.float64)[:, None]


def follow(stops: torch.Tensor, *places: float, method: str = "spline") -> torch.Tensor:
    return follow_path(stops, torch.tensor(places).double(), len(stops) - 1, method)


def measure_turn(stops: torch.Tensor, place: float, method: str) -> float:
    """Return the angle in degrees between the directions of travel before and behind a place."""
    step = 1e-4
    before, at, behind = follow(stops, place - step, place, place + step, method=method)
    cosine = float(torch.cosine_similarity(at - before, behind - at, dim=0))
    return math.degrees(math.acos(min(1, cosine)))


def test_stops_are_there_bit_by_bit() -> None:
    stops = sample_latents([3, 1, 4, 1, 5], 100)
    assert torch.equal(follow(stops, 0, 1, 2, 3, 4), stops)


def test_it_stays_on_the_circle_that_its_stops_are_on() -> None:
    way = follow_path(make_circle([0, 30, 60, 90]), torch.linspace(0, 3, 61).double(), 3, "spline")
    assert_close(way.norm(dim=1), torch.ones(61, dtype=torch.float64))
    angles = torch.atan2(way[:, 1], way[:, 0]).rad2deg()
    assert (angles.diff() > 0).all()
    assert float(angles[30]) == pytest.approx(45)  # by symmetry
    assert way[:, 2].abs().max() == 0


def test_lengths_go_along_a_spline_of_their_own() -> None:
    """Halfway between 2 and 3 of 1, 2, 3, 5: (9 (2 + 3) - (1 + 5)) / 16."""
    way = follow(make_circle([0, 20, 40, 60], [1, 2, 3, 5]), 1.5)
    assert float(way.norm()) == pytest.approx((9 * (2 + 3) - (1 + 5)) / 16)


def test_it_has_no_corner_where_the_great_circle_has_one() -> None:
    stops = sample_latents([3, 1, 4, 5], 64).double()
    for stop in (1, 2):
        assert measure_turn(stops, stop, "slerp") > 30
        assert measure_turn(stops, stop, "spline") < 0.1


def test_a_closed_way_has_no_corner_at_its_ends() -> None:
    stops = sample_latents([3, 1, 4, 3], 64).double()
    step = 1e-4
    first, second = follow(stops, 0, step)
    last, end = follow(stops, 3 - step, 3)
    assert float(torch.cosine_similarity(second - first, end - last, dim=0)) > 0.99999
    open_way = sample_latents([3, 1, 4, 2], 64).double()
    assert not torch.allclose(follow(stops, 0.5), follow(open_way, 0.5))


def test_between_two_stops_it_is_the_great_circle() -> None:
    stops = sample_latents([3, 1], 100)
    places = (0, 0.2, 0.7, 1)
    assert torch.equal(follow(stops, *places), follow(stops, *places, method="slerp"))


def test_latents_are_as_long_as_those_that_generators_know() -> None:
    """Straight lines are as short as 0.7 of it."""
    stops = sample_latents(range(8), 100).double()
    places = torch.linspace(0, 7, 141).double()
    lengths = follow_path(stops, places, 7, "spline").norm(dim=1)
    assert lengths.min() > 0.9 * stops.norm(dim=1).min()
    assert lengths.max() < 1.1 * stops.norm(dim=1).max()
    assert follow_path(stops, places, 7, "lerp").norm(dim=1).min() < 0.85 * stops.norm(dim=1).min()


def test_latents_without_length_stay_where_they_are() -> None:
    assert torch.equal(follow(torch.zeros(3, 8), 0, 0.5, 1.5, 2), torch.zeros(4, 8))
    way = follow(torch.stack([torch.zeros(8), torch.ones(8), torch.zeros(8)]), 0.25, 0.5, 1.75)
    assert way.isfinite().all()
