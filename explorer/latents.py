"""Latents: from seeds, between two of them, and shortened."""

import re
from collections.abc import Callable

import torch
from torch import Tensor

from training.errors import ConfigError
from training.latents import MAX_SEED, check_seed, sample_latents

MAX_SEEDS = 4096
MAX_DIGITS = 100
# Below this sine of the angle, float64 no longer tells in which plane two directions lie.
MIN_SINE = 1e-6

__all__ = [
    "INTERPOLATIONS",
    "MAX_SEED",
    "MAX_SEEDS",
    "Interpolation",
    "check_truncation",
    "interpolate_lerp",
    "interpolate_slerp",
    "parse_seeds",
    "restore_ends",
    "sample_latents",
    "truncate_latents",
]


def interpolate_lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Interpolate on the straight line, (1 - t) a + t b, with exact endpoints.

    ``a`` and ``b`` are (z_dim,) or (N, z_dim); ``t`` in [0, 1] is a number, which keeps the shape
    of ``a``, or (T,), which gives (T, z_dim): one row per t (N must then be T or 1). Midway
    between two Gaussian latents the norm is about 0.7 of theirs, where the generator has seen
    few latents: prefer `interpolate_slerp`.
    """
    a64, b64, weights = _prepare(a, b, t)
    return restore_ends(_lerp(a64, b64, weights), a, b, weights)


def interpolate_slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Interpolate along the great circle (Shoemake 1985), with exact endpoints.

    Shapes as in `interpolate_lerp`. The direction turns at constant speed on the sphere and the
    norm goes linearly from |a| to |b|. Special cases: parallel vectors give the straight line;
    between opposite ones every great circle is as short, and the one taken passes through the
    coordinate axis most nearly perpendicular to ``a`` (the first of equals); a zero vector has no
    direction and gives the straight line.
    """
    a64, b64, weights = _prepare(a, b, t)
    norm_a = a64.norm(dim=-1, keepdim=True)  # (..., 1)
    norm_b = b64.norm(dim=-1, keepdim=True)
    has_zero = (norm_a == 0) | (norm_b == 0)
    unit_a = a64 / norm_a.where(norm_a > 0, 1)
    unit_b = b64 / norm_b.where(norm_b > 0, 1)
    # Unlike arccos of the dot product this angle is accurate near 0 and near pi.
    angle = 2 * torch.atan2(
        (unit_a - unit_b).norm(dim=-1, keepdim=True), (unit_a + unit_b).norm(dim=-1, keepdim=True)
    )
    side = _find_perpendicular(unit_a, unit_b)
    direction = torch.cos(weights * angle) * unit_a + torch.sin(weights * angle) * side
    arc = _lerp(norm_a, norm_b, weights) * direction
    return restore_ends(torch.where(has_zero, _lerp(a64, b64, weights), arc), a, b, weights)


Interpolation = Callable[[Tensor, Tensor, float | Tensor], Tensor]
INTERPOLATIONS: dict[str, Interpolation] = {
    "slerp": interpolate_slerp,
    "lerp": interpolate_lerp,
}


def truncate_latents(latents: Tensor, truncation: float) -> Tensor:
    """Shorten latents to that share of their length: 1 keeps them, 0 makes all of them equal.

    Below 1 images become more alike, and below about 0.7 they fade: in training z is about
    sqrt(z_dim) long, so generators have hardly seen shorter ones, and G(0) is one image for all
    seeds, but not the average one. Only the name is that of the truncation trick: Brock et al.
    2019 draw large components anew, and Karras et al. 2019 scale in W. Raises ConfigError outside
    [0, 1].
    """
    return latents * check_truncation(truncation)


def check_truncation(truncation: float) -> float:
    """Return the truncation if it is in [0, 1], else raise ConfigError."""
    if not 0 <= truncation <= 1:
        raise ConfigError(
            f"Truncation {truncation} is out of range: choose a number from 0 (one image for all "
            "seeds) to 1 (z as drawn)."
        )
    return float(truncation)


def parse_seeds(text: str) -> list[int]:
    """Read seeds from text such as "0-15, 42, 7": numbers and inclusive ranges, in that order.

    Raises ConfigError for anything else and for more than 4096 seeds.
    """
    seeds: list[int] = []
    for part in re.sub(r"\s*-\s*", "-", text).replace(",", " ").split():
        first, dash, last = part.partition("-")
        if not _is_number(first) or (dash and not _is_number(last)):
            raise ConfigError(f"Seeds {text!r}: {part!r} is not a number or range like 0-15.")
        low, high = check_seed(int(first)), check_seed(int(last if dash else first))
        if high < low:
            raise ConfigError(
                f"Seeds {text!r}: the range {part} runs backwards; write {high}-{low}."
            )
        if len(seeds) + high - low + 1 > MAX_SEEDS:
            raise ConfigError(f"Seeds {text!r} are more than {MAX_SEEDS}: choose fewer.")
        seeds.extend(range(low, high + 1))
    if not seeds:
        raise ConfigError("No seeds were given: write numbers and ranges such as 0-15, 42.")
    return seeds


def parse_through(text: str) -> list[int]:
    """Read the seeds that a morph passes on its way, as `parse_seeds` does; none from no text."""
    return parse_seeds(text) if text.strip() else []


def _is_number(text: str) -> bool:
    # Python refuses to read numbers of thousands of digits.
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS


def _prepare(a: Tensor, b: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Check shapes and range, and return a, b and t as float64, t as (1,) or (T, 1)."""
    if a.shape != b.shape:
        raise ConfigError(
            f"Latents of shapes {tuple(a.shape)} and {tuple(b.shape)} cannot be interpolated: "
            "both must come from models with the same z_dim."
        )
    weights = torch.as_tensor(t, dtype=torch.float64).unsqueeze(-1)
    if not ((weights >= 0) & (weights <= 1)).all():
        raise ConfigError("Interpolation positions t must be in [0, 1].")
    return a.double(), b.double(), weights


def restore_ends(path: Tensor, a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """Convert a path back to the latents' type and put the endpoints in, bit by bit."""
    path = path.to(a.dtype)
    return torch.where(weights == 0, a, torch.where(weights == 1, b, path))


def _lerp(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    return (1 - weights) * a + weights * b


def _find_perpendicular(unit_a: Tensor, unit_b: Tensor) -> Tensor:
    """Return the unit vector perpendicular to a on b's side, or to a chosen axis's side."""
    axis = torch.zeros_like(unit_a)
    axis.scatter_(-1, unit_a.abs().argmin(dim=-1, keepdim=True), 1.0)
    toward_b, length = _reject(unit_b, unit_a)
    toward_axis, axis_length = _reject(axis, unit_a)
    fallback = toward_axis / axis_length.clamp_min(1e-300)
    return torch.where(length > MIN_SINE, toward_b / length.clamp_min(MIN_SINE), fallback)


def _reject(vector: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
    """Return the part of a vector perpendicular to a unit vector, and that part's length."""
    part = vector - (vector * unit).sum(dim=-1, keepdim=True) * unit
    return part, part.norm(dim=-1, keepdim=True)
