"""The predictor: what a LabelGAN's generator has to make readable (Wachsmann 2017)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

NUM_CONVOLUTIONS = 4
WIDTH_FACTORS = (2, 2, 4, 4)
# Feature maps are halved until they have so few pixels a side.
MIN_SIDE = 2


class Predictor(nn.Module):
    """Read a label vector off feature maps: four convolutions and a linear layer."""

    def __init__(self, channels: int, side: int, width: int, vector_size: int) -> None:
        """``channels`` and ``side`` are those of the feature maps; ``width`` is the model's."""
        super().__init__()
        widths = [channels, *(width * factor for factor in WIDTH_FACTORS)]
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            stride = 2 if side > MIN_SIDE else 1
            side //= stride
            layers += [
                nn.Conv2d(width_in, width_out, 3, stride, 1),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(widths[-1] * side**2, vector_size)
        )
        scale_weights(self)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, channels, side, side) to label vectors (N, vector_size)."""
        vectors: Tensor = self.layers(features)
        return vectors


@torch.no_grad()
def scale_weights(network: nn.Module) -> None:
    """Draw weights so that signals keep their size without normalisation (He et al. 2015)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, 0.2)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
