"""What happens to an image before a predictor reads it: crops, blur, colour, JPEG-like noise.

A generator that hides labels in pixels loses them here; one that draws them does not. Everything is
differentiable, since the generator learns through it.
"""

import torch
from torch import Tensor
from torch.nn import functional

from training.diff_augment import Augmentation, augment_color
from training.errors import ConfigError

# A crop keeps so much of the side at least, and comes back to full size.
MIN_CROP = 0.8
# Deviation of the blur, in pixels of a 64-pixel image; smaller images are blurred less.
MAX_BLUR, BLUR_RESOLUTION = 1.5, 64
# Blocks of 8x8 pixels, as JPEG has them; noise is up to so large in the highest frequency.
BLOCK_SIDE, MAX_BLOCK_NOISE = 8, 0.5


def crop(images: Tensor, scales: Tensor, centres: Tensor) -> Tensor:
    """Zoom into images: ``scales`` (N,) of the side around ``centres`` (N, 2), both in -1 to 1.

    What is outside repeats the edge.
    """
    matrices = images.new_zeros(len(images), 2, 3, dtype=torch.float32)
    matrices[:, 0, 0] = matrices[:, 1, 1] = scales
    matrices[:, :, 2] = centres
    places = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    return functional.grid_sample(
        images.float(), places, mode="bilinear", padding_mode="border", align_corners=False
    ).to(images.dtype)


def blur(images: Tensor, deviations: Tensor) -> Tensor:
    """Blur each image by a Gaussian of its own deviation (N,), in pixels; 0 leaves it as it is."""
    radius = 3
    steps = torch.arange(-radius, radius + 1, device=images.device, dtype=torch.float32)
    kernels = torch.exp(-steps.square() / (2 * deviations.clamp(min=1e-3).square()[:, None]))
    kernels = kernels / kernels.sum(dim=1, keepdim=True)  # (N, 7)
    count, channels, height, width = images.shape
    flat = images.float().reshape(1, count * channels, height, width)
    weights = kernels.repeat_interleave(channels, dim=0)  # (N C, 7)
    for shape, padding in (((-1, 1, 7, 1), (0, 0, 3, 3)), ((-1, 1, 1, 7), (3, 3, 0, 0))):
        padded = functional.pad(flat, padding, mode="reflect")
        flat = functional.conv2d(padded, weights.view(shape), groups=count * channels)
    return flat.view(images.shape).to(images.dtype)


def add_block_noise(images: Tensor, noise: Tensor) -> Tensor:
    """Add noise (N, C, H, W) given as cosine coefficients of blocks of 8x8 pixels, as in JPEG."""
    height, width = images.shape[2:]
    basis = make_cosine_basis(images.device)
    blocks = noise.view(*noise.shape[:2], height // BLOCK_SIDE, BLOCK_SIDE, width // BLOCK_SIDE, -1)
    spread = torch.einsum("nchuwv,ui,vj->nchiwj", blocks, basis, basis)
    return images + spread.reshape(images.shape).to(images.dtype)


def make_cosine_basis(device: torch.device) -> Tensor:
    """Make the orthonormal cosine transform of 8 places: (frequencies, places)."""
    places = torch.arange(BLOCK_SIDE, device=device, dtype=torch.float32)
    basis = torch.cos(torch.pi * (places + 0.5) * places[:, None] / BLOCK_SIDE)
    basis[0] *= 0.5**0.5
    return basis * (2 / BLOCK_SIDE) ** 0.5


def in_full_precision(augment: Augmentation) -> Augmentation:
    """Return an augmentation without autocast: in bfloat16 places are off by parts of a pixel."""

    def apply(images: Tensor, rng: torch.Generator) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return augment(images, rng)

    return apply


@in_full_precision
def augment_crop(images: Tensor, rng: torch.Generator) -> Tensor:
    """Zoom into each image, by up to a fifth and anywhere within it."""
    shares = torch.rand((len(images), 3), generator=rng, device=images.device)
    scales = MIN_CROP + (1 - MIN_CROP) * shares[:, 0]
    return crop(images, scales, (2 * shares[:, 1:] - 1) * (1 - scales)[:, None])


@in_full_precision
def augment_blur(images: Tensor, rng: torch.Generator) -> Tensor:
    """Blur each image at random."""
    shares = torch.rand(len(images), generator=rng, device=images.device)
    return blur(images, MAX_BLUR * images.shape[-1] / BLUR_RESOLUTION * shares)


@in_full_precision
def augment_blocks(images: Tensor, rng: torch.Generator) -> Tensor:
    """Add noise as coarse rounding in JPEG leaves it: more of it in high frequencies."""
    frequencies = torch.arange(BLOCK_SIDE, device=images.device) / (BLOCK_SIDE - 1)
    sizes = MAX_BLOCK_NOISE * (frequencies[:, None] + frequencies) / 2  # (8, 8)
    repeats = [side // BLOCK_SIDE for side in images.shape[2:]]
    strength = torch.rand((len(images), 1, 1, 1), generator=rng, device=images.device)
    noise = torch.rand(images.shape, generator=rng, device=images.device) - 0.5
    return add_block_noise(images, noise * strength * sizes.repeat(repeats[0], repeats[1]))


READ_AUGMENTATIONS: dict[str, Augmentation] = {
    "color": augment_color,
    "crop": augment_crop,
    "blur": augment_blur,
    "jpeg": augment_blocks,
}


def parse_read_policy(text: str) -> tuple[Augmentation, ...]:
    """Look up augmentations named with commas between; "" is none; raises ConfigError."""
    names = [name.strip() for name in text.split(",")] if text else []
    for name in names:
        if name not in READ_AUGMENTATIONS:
            raise ConfigError(
                f"--predictor-augment names {name!r}: choose any of "
                f"{','.join(READ_AUGMENTATIONS)}, with commas between."
            )
    return tuple(apply for name, apply in READ_AUGMENTATIONS.items() if name in names)
