"""The samples that scores are computed from: numbered by seed, so the same in any batches."""

import torch
from torch import Tensor, nn

from training.images import to_uint8
from training.latents import sample_latents
from training.metrics.score import MakeImages


def make_seeded_images(
    generator: nn.Module, device: torch.device | str, first_seed: int = 0
) -> MakeImages:
    """Return a function (start, count) -> images of seeds `first_seed + start` onwards, uint8.

    A generator with classes gets them in turn by seed, so that every class has its share.
    """
    z_dim, num_classes = int(generator.z_dim), int(generator.num_classes)  # type: ignore[arg-type]

    def make_images(start: int, count: int) -> Tensor:
        seeds = range(first_seed + start, first_seed + start + count)
        latents = sample_latents(seeds, z_dim).to(device)
        with torch.inference_mode():
            if not num_classes:
                return to_uint8(generator(latents))
            labels = torch.tensor([seed % num_classes for seed in seeds], device=device)
            return to_uint8(generator(latents, labels))

    return make_images
