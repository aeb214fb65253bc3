"""Paths through the latent space, one latent per frame."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from explorer.latents import INTERPOLATIONS, Interpolation
from explorer.splines import follow_spline
from training.errors import ConfigError

MIN_FRAMES, MAX_FRAMES = 2, 600


def follow_legs(interpolate: Interpolation, stops: Tensor, first: Tensor, part: Tensor) -> Tensor:
    """Return latents (T, z_dim), each ``part`` of the way from the stop ``first`` to the next."""
    return interpolate(stops[first], stops[first + 1], part)


# Latents (T, z_dim) from stops (K, z_dim), the stop behind each (T,), and how far it is behind.
CURVES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    **{name: partial(follow_legs, leg) for name, leg in INTERPOLATIONS.items()},
    "spline": follow_spline,
}


@dataclass(frozen=True)
class Timeline:
    """Say where each frame from the first of K stops to the last is.

    ``places`` (num_frames,) go from 0 to K - 1 and never back; whole ones are stops. So that a loop
    runs smoothly no end is shown twice: with ``is_ping_pong`` the way back follows, without both
    ends, and where the way ``is_closed``, ending where it begins, its last frame is left out.
    """

    places: Tensor
    is_ping_pong: bool = False
    is_closed: bool = False

    def list_places(self) -> Tensor:
        """Return where every frame is, those of the way back too, (T,): `count_path_frames`."""
        if self.is_ping_pong:
            return torch.cat([self.places, self.places[1:-1].flip(0)])
        return self.places[:-1] if self.is_closed else self.places

    def find_stops(self) -> tuple[int, ...]:
        """Return which frames show the stops, or are nearest to them, in their order."""
        last = len(self.places) - 1
        stops = torch.arange(round(float(self.places[-1])) + 1)  # (K,)
        there = (self.places - stops[:, None]).abs().argmin(dim=1).tolist()
        if self.is_ping_pong:
            return (*there, *(2 * last - frame for frame in reversed(there[1:-1])))
        return tuple(there[:-1] if self.is_closed else there)


def follow_path(stops: Tensor, t: Tensor, length: float = 1.0, method: str = "slerp") -> Tensor:
    """Return the latents (T, z_dim) at positions t (T,), 0 to ``length``, of a way through stops.

    The stops (K, z_dim), at least two, are evenly spaced, and there bit by bit; ``method`` is a key
    of CURVES. Raises ConfigError outside of the way.
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
    return CURVES[check_method(method)](stops, first, place - first)


def fit_frames(num_frames: int, num_stops: int) -> int:
    """Return the number of frames nearest to one wished for with which each stop has a frame."""
    legs = num_stops - 1
    per_leg = min(round((num_frames - 1) / legs), (MAX_FRAMES - 1) // legs)
    return legs * max(1, per_leg) + 1


def count_path_frames(num_frames: int, is_ping_pong: bool, is_closed: bool = False) -> int:
    """Return how many frames a `Timeline` has with ``num_frames`` from first stop to last."""
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
    if method not in CURVES:
        raise ConfigError(f"Unknown interpolation {method!r}: choose one of {', '.join(CURVES)}.")
    return method
