"""How fast a morph goes where: places on its way, from 0 at the first stop to K - 1 at the last."""

import torch
from torch import Tensor

from explorer.paths import check_num_frames
from training.errors import ConfigError

PACES = {
    "even": "the latent moves at one speed",
    "eased": "slows down at each stop",
    "steady": "the image changes as much from each frame to the next",
}


def place_evenly(num_frames: int, num_stops: int) -> Tensor:
    """Place frames at equal distances on the way, (num_frames,)."""
    frames = torch.arange(check_num_frames(num_frames), dtype=torch.float64)
    # Multiplied before it is divided: a frame on a stop is then exactly there.
    return frames * (num_stops - 1) / (num_frames - 1)


def place_eased(num_frames: int, num_stops: int) -> Tensor:
    """Place frames so that the way speeds up behind each stop and slows down before the next.

    3t² - 2t³ on each leg: its speed is 0 at both ends, and half as high again in the middle.
    """
    places = place_evenly(num_frames, num_stops)
    leg, t = places.floor(), places.frac()
    return leg + t * t * (3 - 2 * t)


def place_steadily(num_frames: int, places: Tensor, changes: Tensor) -> Tensor:
    """Place frames so that images change as much from each to the next, (num_frames,).

    ``changes`` (M - 1,) is how much images change between ``places`` (M,) on the way, which have
    every stop among them. Each stop gets a frame: a leg has its share of them by how much changes
    on it, one at least. Where nothing changes frames are evenly spaced.
    """
    num_legs = round(float(places[-1]))
    travelled = torch.cat([changes.new_zeros(1), changes.cumsum(0)])  # (M,)
    legs = [(places >= leg) & (places <= leg + 1) for leg in range(num_legs)]
    lengths = torch.stack([travelled[leg][-1] - travelled[leg][0] for leg in legs])
    parts = [places[:1]]
    for leg, num_steps in zip(legs, share_steps(num_frames - 1, lengths), strict=True):
        parts.append(split_leg(places[leg], travelled[leg], num_steps))
    return torch.cat(parts)


def share_steps(num_steps: int, lengths: Tensor) -> list[int]:
    """Share steps among legs by their lengths, one to each at least (largest remainders)."""
    num_free = num_steps - len(lengths)
    weights = lengths if float(lengths.sum()) > 0 else torch.ones_like(lengths)
    # Rounded: legs that are as long but for a few pixels that rounding moved have as many steps.
    weights = (weights / weights.sum()).round(decimals=4)
    # What a leg is to have beyond the step that each has.
    wanted = (weights / weights.sum() * num_steps - 1).clamp_min(0)
    if float(wanted.sum()) > 0:
        wanted = wanted / wanted.sum() * num_free
    steps = wanted.floor()
    num_left = num_free - int(steps.sum())
    steps[(wanted - steps).argsort(descending=True, stable=True)[:num_left]] += 1
    return [1 + int(count) for count in steps]


def split_leg(places: Tensor, travelled: Tensor, num_steps: int) -> Tensor:
    """Return the places behind each of equal steps on a leg, (num_steps,), its end the last one."""
    length = travelled[-1] - travelled[0]
    if float(length) == 0:
        travelled, length = places, places[-1] - places[0]
    goals = travelled[0] + length * torch.arange(1, num_steps, dtype=torch.float64) / num_steps
    upper = torch.searchsorted(travelled, goals).clamp(1, len(travelled) - 1)
    low, high = travelled[upper - 1], travelled[upper]
    part = (goals - low) / (high - low)
    inner = places[upper - 1] + part * (places[upper] - places[upper - 1])
    return torch.cat([inner, places[-1:]])


def check_pace(pace: str) -> str:
    """Return the name of a pace if it is known, else raise ConfigError."""
    if pace not in PACES:
        raise ConfigError(f"Unknown pace {pace!r}: choose one of {', '.join(PACES)}.")
    return pace
