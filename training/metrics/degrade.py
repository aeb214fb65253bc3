"""Real images as a generator might make them: noisy, blotchy, blurred.

A classifier that has seen only real images is lost among a generator's artefacts. Learning from
degraded real images as well keeps it from taking an artefact for a kind of image.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

# Standard deviations in grey levels, and what is left of the resolution by blurring.
NOISE_LEVELS = (1.0, 8.0)
BLOTCH_LEVELS = (2.0, 16.0)
BLOTCH_SIZES = (8, 16, 32, 64)
BLUR_SHARES = (0.4, 0.9)


def degrade_images(images: NDArray[np.uint8], first: int = 0) -> NDArray[np.uint8]:
    """Degrade images, uint8 (N, C, H, W): noise, blotches, blur, or blotches on a blurred image.

    Image i is degraded by a generator of seed `first` + i, so batches do not matter.
    """
    degraded = [_degrade(image, first + i) for i, image in enumerate(images)]
    return np.stack(degraded) if degraded else images


def _degrade(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    pixels = torch.from_numpy(image.astype(np.float32))[None]  # (1, C, H, W)
    kind = generator.integers(0, 4)
    if kind == 0:
        pixels = pixels + _draw_noise(generator, pixels.shape, generator.uniform(*NOISE_LEVELS))
    if kind >= 2:
        pixels = _resize(_resize(pixels, generator.uniform(*BLUR_SHARES)), 1.0, image.shape[1:])
    if kind in (1, 3):
        size = int(generator.choice(BLOTCH_SIZES))
        shape = (1, image.shape[0], size, size)
        blotches = _draw_noise(generator, shape, generator.uniform(*BLOTCH_LEVELS))
        pixels = pixels + _resize(blotches, 1.0, image.shape[1:])
    degraded: NDArray[np.uint8] = pixels[0].round().clamp(0, 255).to(torch.uint8).numpy()
    return degraded


def _draw_noise(generator: np.random.Generator, shape: tuple[int, ...], level: float) -> Tensor:
    return torch.from_numpy(generator.normal(0, level, tuple(shape)).astype(np.float32))


def _resize(pixels: Tensor, share: float, size: tuple[int, ...] | None = None) -> Tensor:
    """Resize to a size, or to a share of the present one, bilinear and without aliasing."""
    height, width = size or (max(1, round(share * s)) for s in pixels.shape[2:])
    return functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)
