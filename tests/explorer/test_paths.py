"""Paths against sequences written down by hand."""

from __future__ import annotations

import math

import pytest
import torch

from explorer.paces import place_evenly
from explorer.paths import Timeline, count_path_frames, fit_frames, follow_path
from training.errors import ConfigError

ENDS = torch.tensor([[0.0, 0.0], [3.0, 6.0]])


def walk(stops: torch.Tensor, num_frames: int, method: str = "slerp", **ends: bool) -> torch.Tensor:
    places = Timeline(place_evenly(num_frames, len(stops)), **ends).list_places()
    return follow_path(stops, places, len(stops) - 1, method)


def find_stops(num_stops: int, num_frames: int, **ends: bool) -> tuple[int, ...]:
    return Timeline(place_evenly(num_frames, num_stops), **ends).find_stops()


def test_path_is_evenly_spaced_and_holds_both_ends() -> None:
    path = walk(ENDS, 4, "lerp", is_ping_pong=False)
    assert torch.equal(path, torch.tensor([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]))


def test_ping_pong_shows_neither_end_twice() -> None:
    path = walk(ENDS, 4, "lerp", is_ping_pong=True)
    assert path[:, 0].tolist() == [0, 1, 2, 3, 2, 1]


def test_ping_pong_of_two_frames_swings_between_the_ends() -> None:
    assert walk(ENDS, 2, "lerp", is_ping_pong=True)[:, 0].tolist() == [0, 3]


@pytest.mark.parametrize("is_ping_pong", [False, True])
@pytest.mark.parametrize("num_frames", [2, 3, 600])
def test_the_count_is_right(num_frames: int, is_ping_pong: bool) -> None:
    path = walk(ENDS, num_frames, "slerp", is_ping_pong=is_ping_pong)
    assert len(path) == count_path_frames(num_frames, is_ping_pong)


def test_a_closed_way_shows_its_first_stop_once() -> None:
    loop = torch.tensor([[0.0], [4.0], [0.0]])
    path = walk(loop, 5, "lerp", is_closed=True)
    assert path[:, 0].tolist() == [0, 2, 4, 2]
    assert find_stops(3, 5, is_closed=True) == (0, 2)
    assert count_path_frames(5, is_ping_pong=False, is_closed=True) == 4
    # There and back it is passed in the middle.
    both = walk(loop, 5, "lerp", is_ping_pong=True, is_closed=True)
    assert both[:, 0].tolist() == [0, 2, 4, 2, 0, 2, 4, 2]
    assert find_stops(3, 5, is_ping_pong=True, is_closed=True) == (0, 2, 4, 6)
    assert count_path_frames(5, is_ping_pong=True, is_closed=True) == 8


@pytest.mark.parametrize("num_frames", [1, 601])
def test_counts_outside_are_refused(num_frames: int) -> None:
    with pytest.raises(ConfigError, match="2 to 600"):
        walk(ENDS, num_frames)


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(ConfigError, match="choose one of slerp, lerp"):
        walk(ENDS, 4, "cubic")


@pytest.mark.parametrize("stops", [ENDS[0], ENDS[:1]])
def test_one_latent_is_no_way(stops: torch.Tensor) -> None:
    with pytest.raises(ConfigError, match="two or more latents"):
        walk(stops, 4)


def test_a_way_through_several_stops_is_evenly_spaced_and_holds_each() -> None:
    stops = torch.tensor([[0.0], [1.0], [5.0], [2.0]])
    assert walk(stops, 7, "lerp")[:, 0].tolist() == [0, 0.5, 1, 3, 5, 3.5, 2]
    # 0, 3/4, 3/2, 9/4 and 3 steps from the first.
    assert walk(stops, 5, "lerp")[:, 0].tolist() == [0, 0.75, 3, 4.25, 2]


def test_stops_on_a_frame_are_there_bit_by_bit() -> None:
    stops = torch.randn(10, 16, generator=torch.Generator().manual_seed(0))
    path = walk(stops, 10 * 9 + 1, "slerp")
    assert torch.equal(path[::10], stops)


@pytest.mark.parametrize("method", ["slerp", "lerp"])
@pytest.mark.parametrize("t", [1.5, -0.1, math.nan, math.inf, -math.inf])
def test_positions_outside_of_the_way_are_refused(t: float, method: str) -> None:
    """Whatever is not from 0 to the way's length is, one bad position among good ones too."""
    with pytest.raises(ConfigError, match=r"must be in \[0, 1\]"):
        follow_path(ENDS, torch.tensor([0.5, t]), method=method)
    with pytest.raises(ConfigError, match=r"must be in \[0, 4\]"):
        follow_path(ENDS, torch.tensor([5.0 * t]), 4, method)


@pytest.mark.parametrize(
    ("wished", "stops", "frames"),
    [(60, 2, 60), (60, 10, 64), (2, 10, 10), (600, 10, 595), (5, 3, 5), (600, 64, 568)],
)
def test_frames_are_fitted_so_that_each_stop_has_one(wished: int, stops: int, frames: int) -> None:
    assert fit_frames(wished, stops) == frames


@pytest.mark.parametrize(
    ("num_stops", "num_frames", "is_ping_pong", "expected"),
    [
        (2, 5, False, (0, 4)),
        (2, 5, True, (0, 4)),
        (3, 5, False, (0, 2, 4)),
        (3, 5, True, (0, 2, 4, 6)),
        (4, 7, True, (0, 2, 4, 6, 8, 10)),
        (3, 4, True, (0, 2, 3, 4)),  # no frame lies on the middle stop: the nearest one
    ],
)
def test_stops_are_found_among_the_frames(
    num_stops: int, num_frames: int, is_ping_pong: bool, expected: tuple[int, ...]
) -> None:
    assert find_stops(num_stops, num_frames, is_ping_pong=is_ping_pong) == expected


def test_the_frames_found_are_the_stops() -> None:
    stops = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)).double()
    path = walk(stops, 10, is_ping_pong=True)
    found = find_stops(4, 10, is_ping_pong=True)
    torch.testing.assert_close(path[list(found)], stops[[0, 1, 2, 3, 2, 1]])
