"""Pieces that several models share."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from training.models.config import ModelConfig
from training.models.layer_norm import LayerNorm2d

MAX_WIDTH_FACTOR = 8


class Generator(nn.Module):
    """Turn latents into images: the facts about shape that every generator carries."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.z_dim = config.z_dim
        self.labels = config.labels
        self.img_channels = config.img_channels
        self.img_resolution = config.img_resolution


class Discriminator(nn.Module):
    """Judge images by layers that end in features, and a head that turns those into a logit."""

    def __init__(self, body: Sequence[nn.Module], head: Sequence[nn.Module]) -> None:
        super().__init__()
        # One sequence: the names of the weights do not depend on where the head begins.
        self.layers = nn.Sequential(*body, *head)
        self._num_body = len(body)

    def extract_features(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to the last hidden features, (N, F, ...)."""
        return self._run(slice(None, self._num_body), images)

    def judge(self, features: Tensor) -> Tensor:
        """Map features to logits (N,)."""
        return flatten_logits(self._run(slice(self._num_body, None), features))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to logits (N,)."""
        return self.judge(self.extract_features(images))

    def _run(self, part: slice, values: Tensor) -> Tensor:
        for layer in list(self.layers)[part]:
            values = layer(values)
        return values


def get_stage_widths(config: ModelConfig) -> list[int]:
    """Return the feature maps per stage from the image inwards, e.g. [64, 128, 256, 512] at 64 px.

    The inmost stage is 4x4 pixels; widths double per stage and stop at eight times the first.
    """
    num_stages = int(math.log2(config.img_resolution)) - 2
    return [config.width * min(2**stage, MAX_WIDTH_FACTOR) for stage in range(num_stages)]


# Spectral normalisation is of the weights: see finish_discriminator.
NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "layer": LayerNorm2d}


def build_norm(kind: str, channels: int) -> list[nn.Module]:
    """Build a normalisation over (N, C, H, W), if any: "batch", or "layer" (per sample).

    Both kinds have 2C parameters.
    """
    return [NORMS[kind](channels)] if kind in NORMS else []


def finish_discriminator(discriminator: nn.Module, config: ModelConfig) -> None:
    """Draw initial weights, and normalise those of all layers where the configuration says so."""
    init_weights(discriminator)
    normalize_weights(discriminator, config)


def normalize_weights(discriminator: nn.Module, config: ModelConfig) -> None:
    """Divide the weight of each layer by its largest singular value, if that is the critic's norm.

    Spectral normalisation is of Miyato et al. 2018.
    """
    if config.critic_norm == "spectral":
        layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        for layer in layers:
            parametrizations.spectral_norm(layer)


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
