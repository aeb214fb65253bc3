"""The grid of samples that shows how a training comes along: the same latents each time."""

import torch
from torch import Tensor, nn

from training.free_memory import advise_out_of_memory
from training.images import tile_images
from training.metrics.sampling import make_seeded_images

GRID_SIDE = 8


def sample_grid(generator: nn.Module, device: torch.device) -> Tensor:
    """Make the images of the fixed seeds 0 to 63, as one uint8 (C, 8H, 8W) on the CPU."""
    make_images = make_seeded_images(generator, device)
    purpose = f"a grid of {GRID_SIDE**2} samples"
    with advise_out_of_memory(purpose, "give --grid-every 0, or a smaller --width."):
        return tile_images(make_images(0, GRID_SIDE**2).cpu(), GRID_SIDE)
