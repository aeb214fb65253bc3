"""A smooth way through several latents: no corner at any of them."""

import torch
from torch import Tensor

from explorer.latents import interpolate_slerp, restore_ends


def follow_spline(stops: Tensor, first: Tensor, part: Tensor) -> Tensor:
    """Return latents (T, z_dim) on a smooth way through stops (K, z_dim).

    Each is ``part`` (T,), 0 to 1, of the way from the stop ``first`` (T,) to the next. Directions
    and lengths are Catmull-Rom splines (Catmull and Rom 1974) over the stops, the directions put
    back onto the sphere: a latent is about as long as those that the generator has learned from.
    Where the last stop is the first again the way is smooth there too; else it ends straight.
    Between two stops it is the great circle of `interpolate_slerp`. Stops are exact, bit by bit.
    """
    if len(stops) == 2:
        return interpolate_slerp(stops[first], stops[first + 1], part)
    points = stops.double()
    norms = points.norm(dim=1, keepdim=True)  # (K, 1)
    units = points / norms.where(norms > 0, 1)
    is_closed = torch.equal(points[0], points[-1])
    direction = _blend(units, first, part, is_closed)
    length = direction.norm(dim=1, keepdim=True)
    direction = direction / length.where(length > 0, 1)
    way = direction * _blend(norms, first, part, is_closed).clamp_min(0)
    return restore_ends(way, stops[first], stops[first + 1], part[:, None])


def _blend(values: Tensor, first: Tensor, part: Tensor, is_closed: bool) -> Tensor:
    """Return the uniform Catmull-Rom spline through values (K, D), (T, D)."""
    before = values[-2] if is_closed else 2 * values[0] - values[1]
    behind = values[1] if is_closed else 2 * values[-1] - values[-2]
    padded = torch.cat([before[None], values, behind[None]])  # values[k] is padded[k + 1]
    a, b, c, d = (padded[first + offset] for offset in range(4))
    t = part[:, None]
    return b + 0.5 * t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * b - a - 3 * c + d)))
