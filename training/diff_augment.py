"""Differentiable augmentation of what a discriminator sees (DiffAugment, Zhao et al. 2020)."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from training.errors import ConfigError

BRIGHTNESS = 0.5  # added to all pixels: -0.5 to 0.5
SATURATION = (0.0, 2.0)  # factor of the distance from a pixel's grey
CONTRAST = (0.5, 1.5)  # factor of the distance from the image's mean
TRANSLATION = 1 / 8  # of the side, in either direction
CUTOUT = 1 / 2  # of the side

Augmentation: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]


def shift_brightness(images: Tensor, shift: Tensor) -> Tensor:
    """Add a number per image, (N, 1, 1, 1)."""
    return images + shift


def scale_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Scale each pixel's distance from its mean over the channels; factors are (N, 1, 1, 1)."""
    grey = images.mean(dim=1, keepdim=True)  # (N, 1, H, W)
    return grey + factor * (images - grey)


def scale_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Scale each pixel's distance from the image's mean; factors are (N, 1, 1, 1)."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
    return mean + factor * (images - mean)


def translate(images: Tensor, shifts: Tensor) -> Tensor:
    """Move images down and right by whole pixels (N, 2); what comes in is 0."""
    for axis in (2, 3):
        images = _move(images, shifts[:, axis - 2], axis)
    return images


def cut_out(images: Tensor, centres: Tensor) -> Tensor:
    """Set a square of half the side to 0, centred on rows and columns (N, 2).

    A square of even side begins half of it before its centre.
    """
    is_kept = torch.zeros((), dtype=torch.bool, device=images.device)
    for axis in (2, 3):
        side = images.shape[axis]
        size = round(CUTOUT * side)
        place = torch.arange(side, device=images.device) - centres[:, axis - 2, None] + size // 2
        is_outside = (place < 0) | (place >= size)  # (N, side)
        is_kept = is_kept | (
            is_outside[:, None, :, None] if axis == 2 else is_outside[:, None, None]
        )
    return images * is_kept  # (N, 1, H, W) spreads over the channels


def augment_color(images: Tensor, rng: torch.Generator) -> Tensor:
    """Change brightness, saturation and contrast, each at random per image."""
    images = shift_brightness(images, _draw(images, rng, -BRIGHTNESS, BRIGHTNESS))
    images = scale_saturation(images, _draw(images, rng, *SATURATION))
    return scale_contrast(images, _draw(images, rng, *CONTRAST))


def augment_translation(images: Tensor, rng: torch.Generator) -> Tensor:
    """Move each image by up to an eighth of its side, at random."""
    height, width = (round(TRANSLATION * side) for side in images.shape[2:])
    rows = _draw_whole(images, rng, -height, height)
    return translate(images, torch.stack([rows, _draw_whole(images, rng, -width, width)], dim=1))


def augment_cutout(images: Tensor, rng: torch.Generator) -> Tensor:
    """Cut a square out of each image, anywhere: at the edge, part of it is outside."""
    # An even square has its centre between pixels: one place more, alike at both edges.
    ends = [side - round(CUTOUT * side) % 2 for side in images.shape[2:]]
    return cut_out(images, torch.stack([_draw_whole(images, rng, 0, e) for e in ends], dim=1))


AUGMENTATIONS: dict[str, Augmentation] = {
    "color": augment_color,
    "translation": augment_translation,
    "cutout": augment_cutout,
}


def perturb(
    images: Tensor, augmentations: Sequence[Augmentation], noise: float, rng: torch.Generator
) -> Tensor:
    """Augment images, then add Gaussian noise of that deviation, if any."""
    for augment in augmentations:
        images = augment(images, rng)
    if not noise:
        return images
    return images + noise * torch.randn(images.shape, generator=rng, device=images.device)


def parse_policy(text: str) -> tuple[Augmentation, ...]:
    """Look up augmentations named with commas between; "" is none.

    Raises ConfigError for an unknown name.
    """
    names = [name.strip() for name in text.split(",")] if text else []
    for name in names:
        if name not in AUGMENTATIONS:
            raise ConfigError(
                f"--diff-augment names {name!r}: choose any of {','.join(AUGMENTATIONS)}, with "
                "commas between."
            )
    return tuple(apply for name, apply in AUGMENTATIONS.items() if name in names)


def _draw(images: Tensor, rng: torch.Generator, low: float, high: float) -> Tensor:
    """Draw a number per image, (N, 1, 1, 1)."""
    shares = torch.rand((len(images), 1, 1, 1), generator=rng, device=images.device)
    return low + (high - low) * shares


def _draw_whole(images: Tensor, rng: torch.Generator, low: int, high: int) -> Tensor:
    """Draw a whole number from low to high per image, (N,)."""
    return torch.randint(low, high + 1, (len(images),), generator=rng, device=images.device)


def _move(images: Tensor, shifts: Tensor, axis: int) -> Tensor:
    """Move images along an axis by whole pixels (N,), filling with 0."""
    side = images.shape[axis]
    sources = torch.arange(side, device=images.device) - shifts[:, None]  # (N, side)
    is_inside = (sources >= 0) & (sources < side)
    shape = [len(images), 1, 1, 1]
    shape[axis] = side
    index = sources.clamp(0, side - 1).view(shape).expand_as(images)
    return images.gather(axis, index) * is_inside.view(shape)
