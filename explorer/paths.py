"""Paths through the latent space, one latent per frame."""

import torch
from torch import Tensor

from explorer.latents import INTERPOLATIONS
from training.errors import ConfigError

MIN_FRAMES, MAX_FRAMES = 2, 600


def build_interpolation(
    a: Tensor,
    b: Tensor,
    num_frames: int,
    method: str = "slerp",
    is_ping_pong: bool = False,
) -> Tensor:
    """Build the latents of a morph from a to b, (T, z_dim), evenly spaced, endpoints exact.

    ``num_frames`` (2 to 600) counts from a to b inclusive. With ``is_ping_pong`` the way back
    follows and T is 2 * num_frames - 2: neither end is shown twice, so that a loop runs smoothly.
    ``method`` is a key of INTERPOLATIONS.
    """
    check_num_frames(num_frames)
    if a.ndim != 1:
        raise ConfigError(f"A morph joins two latents of shape (z_dim,), found {tuple(a.shape)}.")
    t = torch.arange(num_frames, dtype=torch.float64) / (num_frames - 1)
    path = INTERPOLATIONS[check_method(method)](a, b, t)  # (num_frames, z_dim)
    return torch.cat([path, path[1:-1].flip(0)]) if is_ping_pong else path


def count_path_frames(num_frames: int, is_ping_pong: bool) -> int:
    """Return how many frames `build_interpolation` makes."""
    return 2 * num_frames - 2 if is_ping_pong else num_frames


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
