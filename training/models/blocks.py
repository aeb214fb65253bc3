"""Pieces that several models share."""

import math

import torch
from torch import Tensor, nn

from training.models.config import ModelConfig

MAX_WIDTH_FACTOR = 8


class Generator(nn.Module):
    """Turn latents into images: the facts about shape that every generator carries."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.z_dim = config.z_dim
        self.num_classes = config.num_classes
        self.img_channels = config.img_channels
        self.img_resolution = config.img_resolution


def get_stage_widths(config: ModelConfig) -> list[int]:
    """Return the feature maps per stage from the image inwards, e.g. [64, 128, 256, 512] at 64 px.

    The inmost stage is 4x4 pixels; widths double per stage and stop at eight times the first.
    """
    num_stages = int(math.log2(config.img_resolution)) - 2
    return [config.width * min(2**stage, MAX_WIDTH_FACTOR) for stage in range(num_stages)]


def build_norm(kind: str, channels: int) -> nn.Module:
    """Build a normalisation over (N, C, H, W): "batch", or "layer" (per sample, over C, H and W).

    GroupNorm with one group is layer normalisation with one scale and shift per channel, so both
    kinds have 2C parameters.
    """
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.GroupNorm(1, channels)


@torch.no_grad()
def init_weights(network: nn.Module) -> None:
    """Draw weights from N(0, 0.02), norm scales from N(1, 0.02), biases 0 (Radford et al. 2016)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def flatten_logits(logits: Tensor) -> Tensor:
    """Reshape a discriminator's output, (N, 1, 1, 1) or (N, 1), to (N,)."""
    return logits.reshape(len(logits))
