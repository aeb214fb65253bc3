"""The one conversion between the uint8 pixels of images and the [-1, 1] floats of networks."""

import torch
from torch import Tensor


def to_uint8(images: Tensor) -> Tensor:
    """Convert floats in [-1, 1] to uint8 pixels of the same shape, rounding to the nearest level.

    Values outside the range are clamped. Truncation instead of rounding would darken every image
    by half a level, which scores of image sets notice.
    """
    return images.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def to_float(images: Tensor) -> Tensor:
    """Convert uint8 pixels to float32 in [-1, 1] of the same shape; `to_uint8` inverts it."""
    return images.to(torch.float32).div(127.5).sub(1)


def tile_images(images: Tensor, side: int) -> Tensor:
    """Lay side * side images (side², C, H, W) out row by row as one (C, side * H, side * W)."""
    channels, height, width = images.shape[1:]
    tiles = images.reshape(side, side, channels, height, width)
    return tiles.permute(2, 0, 3, 1, 4).reshape(channels, side * height, side * width)
