"""Paces against places worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from explorer.paces import (
    check_pace,
    place_eased,
    place_evenly,
    place_steadily,
    share_steps,
)
from explorer.paths import Timeline
from training.errors import ConfigError


def to_tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_even_places_are_evenly_spaced_and_stops_are_exact() -> None:
    assert place_evenly(5, 3).tolist() == [0, 0.5, 1, 1.5, 2]
    places = place_evenly(10 * 7 + 1, 11)
    assert places[::7].tolist() == list(range(11))


def test_eased_places_follow_the_cubic_between_stops() -> None:
    """3t² - 2t³ at quarters: 5/32, 1/2, 27/32."""
    expected = [0, 5 / 32, 0.5, 27 / 32, 1, 1 + 5 / 32, 1.5, 1 + 27 / 32, 2]
    assert place_eased(9, 3).tolist() == expected


def test_an_eased_way_rests_at_its_stops() -> None:
    speeds = place_eased(2 * 200 + 1, 3).diff() * 200  # of an even way: 1
    assert speeds[[0, 199, 200, 399]].max() < 0.02
    assert speeds.max() == pytest.approx(1.5, abs=0.01)


def test_steady_places_are_where_half_of_the_change_is_done() -> None:
    """Changes 3 and 1 on the two halves of a leg: half of 4 is two thirds through the first."""
    places = place_steadily(3, to_tensor(0, 0.5, 1), to_tensor(3, 1))
    torch.testing.assert_close(places, to_tensor(0, 1 / 3, 1))


def test_legs_get_frames_by_how_much_changes_on_them() -> None:
    probes, changes = to_tensor(0, 0.5, 1, 1.5, 2), to_tensor(3, 3, 1, 1)
    places = place_steadily(9, probes, changes)
    expected = [0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1.5, 2]
    torch.testing.assert_close(places, to_tensor(*expected))
    assert Timeline(places).find_stops() == (0, 6, 8)


def test_where_nothing_changes_frames_are_evenly_spaced() -> None:
    probes = to_tensor(0, 0.5, 1, 1.5, 2)
    assert place_steadily(5, probes, to_tensor(0, 0, 0, 0)).tolist() == [0, 0.5, 1, 1.5, 2]
    # On one leg alone nothing changes: it gets the one frame that its stop needs.
    assert place_steadily(5, probes, to_tensor(0, 0, 2, 2)).tolist() == pytest.approx(
        [0, 1, 1 + 1 / 3, 1 + 2 / 3, 2]
    )


def test_a_way_that_stands_still_in_between_goes_on_behind() -> None:
    places = place_steadily(5, to_tensor(0, 0.25, 0.75, 1), to_tensor(2, 0, 2))
    torch.testing.assert_close(places, to_tensor(0, 0.125, 0.25, 0.875, 1))


@pytest.mark.parametrize(
    ("num_steps", "lengths", "expected"),
    [
        (10, [1, 1], [5, 5]),
        (10, [9, 1], [9, 1]),
        (3, [5, 1, 1], [1, 1, 1]),
        (7, [0, 0, 0], [3, 2, 2]),
        (6, [100, 0, 1], [4, 1, 1]),
        (11, [2, 2, 1], [5, 4, 2]),
    ],
)
def test_steps_are_shared_and_none_is_lost(
    num_steps: int, lengths: list[float], expected: list[int]
) -> None:
    found = share_steps(num_steps, to_tensor(*lengths))
    assert found == expected
    assert sum(found) == num_steps


def test_places_never_go_back_and_hold_every_stop() -> None:
    generator = torch.Generator().manual_seed(0)
    for num_legs in (1, 2, 9, 63):
        probes = torch.arange(8 * num_legs + 1, dtype=torch.float64) / 8
        changes = torch.rand(8 * num_legs, generator=generator).double() ** 8
        places = place_steadily(2 * num_legs + 30, probes, changes)
        assert len(places) == 2 * num_legs + 30
        assert (places.diff() > 0).all()
        assert set(range(num_legs + 1)) <= set(places.tolist())


def test_the_inverse_is_that_of_a_closed_form() -> None:
    """Change that grows like t² is steady where t is the root of the frame's share."""
    probes = torch.linspace(0, 1, 4001, dtype=torch.float64)
    places = place_steadily(101, probes, (probes**2).diff())
    expected = torch.linspace(0, 1, 101, dtype=torch.float64).sqrt()
    assert (places - expected).abs().max() < 1e-4
    assert math.isclose(float(places[50]), math.sqrt(0.5), abs_tol=1e-6)


def test_unknown_paces_are_refused() -> None:
    with pytest.raises(ConfigError, match="choose one of even, eased, steady"):
        check_pace("fast")
