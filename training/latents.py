"""One seed is one latent, whatever is drawn beside it and wherever it is used."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.errors import ConfigError

MAX_SEED = 2**32 - 1


def sample_latents(seeds: Sequence[int], z_dim: int) -> Tensor:
    """Draw one standard normal latent per seed, (N, z_dim) float32 on the CPU.

    Row i depends on ``seeds[i]`` and ``z_dim`` alone: each seed has a generator of its own, so
    neither the batch nor the device nor earlier draws change it.
    """
    latents = torch.empty(len(seeds), z_dim)
    for row, seed in zip(latents, seeds, strict=True):
        generator = torch.Generator().manual_seed(check_seed(seed))
        torch.randn(z_dim, generator=generator, out=row)
    return latents


def check_seed(seed: int) -> int:
    """Return the seed if it is in [0, 2**32 - 1], else raise ConfigError."""
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(
            f"Seed {seed} is out of range: choose a whole number from 0 to {MAX_SEED}."
        )
    return int(seed)
