"""Batch normalisation over the batch of all processes together.

PyTorch's own SyncBatchNorm runs on GPUs only and cannot be differentiated twice, as the gradient
penalty of a critic with batch norms has to be.
"""

from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

Network = TypeVar("Network", bound=nn.Module)


class SumOverProcesses(torch.autograd.Function):
    """Sum a tensor over all processes; the gradient is summed likewise, as often as wanted."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """Return the sum over all processes."""
        total = values.contiguous().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the sum of the gradients over all processes."""
        total: Tensor = SumOverProcesses.apply(gradients[0])
        return total


class SyncedBatchNorm(_BatchNorm):
    """Normalise (N, C, ...) by mean and variance of all processes' N, as one process would.

    Every process must have as many rows. Statistics are taken in float32. In eval mode it is
    ordinary batch normalisation.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, ...) to the same shape."""
        if not self.training:
            return super().forward(x)
        others = [0, *range(2, x.dim())]
        shape = [1, -1, *[1] * (x.dim() - 2)]
        count = x.numel() // x.shape[1] * distributed.get_world_size()
        wide = x.float()
        mean = SumOverProcesses.apply(wide.sum(others)) / count  # (C,)
        centred = wide - mean.view(shape)
        variance = SumOverProcesses.apply(centred.square().sum(others)) / count
        self._update_running(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    def _update_running(self, mean: Tensor, variance: Tensor) -> None:
        assert self.momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any number of dimensions."""


def synchronize_batch_norms(network: Network) -> Network:
    """Replace every batch norm in a network by a SyncedBatchNorm with its weights and averages.

    They are on the device of what they replace.
    """
    for name, child in network.named_children():
        if isinstance(child, _BatchNorm) and not isinstance(child, SyncedBatchNorm):
            synced = SyncedBatchNorm(child.num_features, child.eps, child.momentum)
            synced = synced.to(child.weight.device)
            synced.load_state_dict(child.state_dict())
            network.add_module(name, synced.train(child.training))
        else:
            synchronize_batch_norms(child)
    return network
