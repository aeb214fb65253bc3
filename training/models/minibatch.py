"""The minibatch standard deviation: a discriminator's view of variety (Karras et al. 2018)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from training.models.config import ModelConfig

GROUP_SIZE = 4
EPSILON = 1e-8


class MinibatchStddev(nn.Module):
    """Append a channel with the mean standard deviation of the features within a group.

    Groups have four samples where that divides the batch, else all of it. A generator that makes
    the same images again is given away by a channel near 0.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, F) or (N, F, h, w) to (N, F + 1) or (N, F + 1, h, w)."""
        num_samples, shape = len(features), features.shape[1:]
        size = GROUP_SIZE if num_samples % GROUP_SIZE == 0 else num_samples
        groups = features.float().reshape(num_samples // size, size, -1)  # (groups, size, F h w)
        variance = groups.var(dim=1, correction=0)  # (groups, F h w)
        deviation = (variance + EPSILON).sqrt().mean(dim=1)  # (groups,)
        channel = deviation.repeat_interleave(size, output_size=num_samples)  # (N,)
        channel = channel.to(features.dtype).view(-1, 1, *(1 for _ in shape[1:]))
        return torch.cat([features, channel.expand(-1, 1, *shape[1:])], dim=1)


def build_head(
    config: ModelConfig, width: int, build_layer: Callable[[int], nn.Module]
) -> list[nn.Module]:
    """Build a discriminator's head: its last layer, which sees the deviation too if wanted."""
    if config.has_minibatch_stddev:
        return [MinibatchStddev(), build_layer(width + 1)]
    return [build_layer(width)]
