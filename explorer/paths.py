"""Paths through the latent space, one latent per frame."""

import torch
from torch import Tensor

from explorer.latents import INTERPOLATIONS
from training.errors import ConfigError

MIN_FRAMES, MAX_FRAMES = 2, 600


def build_path(
    stops: Tensor,
    num_frames: int,
    method: str = "slerp",
    is_ping_pong: bool = False,
    is_closed: bool = False,
) -> Tensor:
    """Build the latents of a morph through stops (K, z_dim), (T, z_dim): as many frames each way.

    ``num_frames`` (2 to 600) counts from the first stop to the last inclusive, evenly spaced; where
    a frame falls on a stop it is that latent, bit by bit. So that a loop runs smoothly no end is
    shown twice: with ``is_ping_pong`` the way back follows and T is 2 * num_frames - 2, and where
    the way ``is_closed``, ending where it begins, its last frame is left out and T is
    num_frames - 1. ``method`` is a key of INTERPOLATIONS.
    """
    check_num_frames(num_frames)
    t = torch.arange(num_frames, dtype=torch.float64)
    path = follow_path(stops, t, num_frames - 1, method)  # (num_frames, z_dim)
    if is_ping_pong:
        return torch.cat([path, path[1:-1].flip(0)])
    return path[:-1] if is_closed else path


def follow_path(stops: Tensor, t: Tensor, length: float = 1.0, method: str = "slerp") -> Tensor:
    """Return the latents (T, z_dim) at positions t (T,), 0 to ``length``, of a way through stops.

    The stops (K, z_dim), at least two, are evenly spaced. Raises ConfigError outside of the way.
    """
    if stops.ndim != 2 or len(stops) < 2:
        raise ConfigError(
            f"A morph joins two or more latents, of shape (K, z_dim), found {tuple(stops.shape)}."
        )
    if not ((t >= 0) & (t <= length)).all():  # not a number is neither
        raise ConfigError(f"Positions on a way must be in [0, {length:g}].")
    # Multiplied before it is divided: a frame on a stop is then exactly there.
    place = t.double() * (len(stops) - 1) / length  # (T,), 0 to K - 1
    first = place.floor().clamp(0, len(stops) - 2).long()
    return INTERPOLATIONS[check_method(method)](stops[first], stops[first + 1], place - first)


def fit_frames(num_frames: int, num_stops: int) -> int:
    """Return the number of frames nearest to one wished for with which each stop has a frame."""
    legs = num_stops - 1
    per_leg = min(round((num_frames - 1) / legs), (MAX_FRAMES - 1) // legs)
    return legs * max(1, per_leg) + 1


def find_stop_frames(
    num_stops: int, num_frames: int, is_ping_pong: bool, is_closed: bool = False
) -> tuple[int, ...]:
    """Return which frames of `build_path` show the stops, in the order in which they come."""
    last = num_frames - 1
    there = [round(stop * last / (num_stops - 1)) for stop in range(num_stops)]
    if is_ping_pong:
        return (*there, *(2 * last - frame for frame in reversed(there[1:-1])))
    return tuple(there[:-1] if is_closed else there)


def count_path_frames(num_frames: int, is_ping_pong: bool, is_closed: bool = False) -> int:
    """Return how many frames `build_path` makes."""
    if is_ping_pong:
        return 2 * num_frames - 2
    return num_frames - 1 if is_closed else num_frames


def check_num_frames(num_frames: int) -> int:
    """Return the number of frames if it is in [2, 600], else raise ConfigError."""
    if not MIN_FRAMES <= num_frames <= MAX_FRAMES:
        raise ConfigError(
            f"{num_frames} frames are out of range: choose {MIN_FRAMES} to {MAX_FRAMES}."
        )
    return num_frames


def check_method(method: str) -> str:
    """Return the interpolation's name if it is known, else raise ConfigError."""
    if method not in INTERPOLATIONS:
        raise ConfigError(
            f"Unknown interpolation {method!r}: choose one of {', '.join(INTERPOLATIONS)}."
        )
    return method
