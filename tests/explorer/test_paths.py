"""Paths against sequences written down by hand."""

from __future__ import annotations

import pytest
import torch

from explorer.paths import build_interpolation, count_path_frames
from training.errors import ConfigError

A, B = torch.tensor([0.0, 0.0]), torch.tensor([3.0, 6.0])


def test_path_is_evenly_spaced_and_holds_both_ends() -> None:
    path = build_interpolation(A, B, 4, "lerp", is_ping_pong=False)
    assert torch.equal(path, torch.tensor([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]))


def test_ping_pong_shows_neither_end_twice() -> None:
    path = build_interpolation(A, B, 4, "lerp", is_ping_pong=True)
    assert path[:, 0].tolist() == [0, 1, 2, 3, 2, 1]


def test_ping_pong_of_two_frames_swings_between_the_ends() -> None:
    assert build_interpolation(A, B, 2, "lerp", is_ping_pong=True)[:, 0].tolist() == [0, 3]


@pytest.mark.parametrize("is_ping_pong", [False, True])
@pytest.mark.parametrize("num_frames", [2, 3, 600])
def test_the_count_is_right(num_frames: int, is_ping_pong: bool) -> None:
    path = build_interpolation(A, B, num_frames, "slerp", is_ping_pong)
    assert len(path) == count_path_frames(num_frames, is_ping_pong)


@pytest.mark.parametrize("num_frames", [1, 601])
def test_counts_outside_are_refused(num_frames: int) -> None:
    with pytest.raises(ConfigError, match="2 to 600"):
        build_interpolation(A, B, num_frames)


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(ConfigError, match="choose one of slerp, lerp"):
        build_interpolation(A, B, 4, "cubic")


def test_only_single_latents_are_joined() -> None:
    with pytest.raises(ConfigError, match=r"\(1, 2\)"):
        build_interpolation(A[None], B[None], 4)
