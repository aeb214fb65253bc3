"""Self-attention between all places of a feature map (Zhang et al. 2019)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.models.config import ATTENTION_RESOLUTION, ModelConfig

# Queries, keys and values have this share of the channels.
REDUCTION = 8


class SelfAttention(nn.Module):
    """Add to each place a mixture of all places, weighted by how well keys fit its query.

    Keys and values are pooled to half the side, as in the authors' code, and the scale ``gamma``
    starts at 0: training begins with the network as it is without attention.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // REDUCTION)
        self.query, self.key, self.value = (
            nn.Conv2d(channels, inner, 1, bias=False) for _ in range(3)
        )
        self.output = nn.Conv2d(inner, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, C, h, w) to features of the same shape."""
        height, width = features.shape[2:]
        query = self.query(features).flatten(2)  # (N, C / 8, h w)
        key = functional.max_pool2d(self.key(features), 2).flatten(2)  # (N, C / 8, h w / 4)
        value = functional.max_pool2d(self.value(features), 2).flatten(2)
        # Not torch's fused attention: the gradient penalty needs a second derivative.
        weights = (query.transpose(1, 2) @ key).softmax(dim=2)  # (N, h w, h w / 4)
        mixed = (value @ weights.transpose(1, 2)).unflatten(2, (height, width))
        return features + self.gamma * self.output(mixed)


def build_attention(config: ModelConfig, channels: int, resolution: int) -> list[nn.Module]:
    """Build the attention after a stage of that resolution, if there is one."""
    is_here = config.has_self_attention and resolution == ATTENTION_RESOLUTION
    return [SelfAttention(channels)] if is_here else []
