"""Adversarial objectives as pure functions of logits; logits are (N,), results are scalars."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Objective:
    """Pair a discriminator loss of (real, fake) logits with a generator loss of fake logits.

    ``are_logits_probabilities`` says whether sigmoid(logits) is the probability of being real.
    """

    compute_discriminator_loss: Callable[[Tensor, Tensor], Tensor]
    compute_generator_loss: Callable[[Tensor], Tensor]
    are_logits_probabilities: bool


def compute_bce_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Compute -mean log D(real) - mean log(1 - D(fake)) (Goodfellow et al. 2014)."""
    return functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()


def compute_non_saturating_generator_loss(fake_logits: Tensor) -> Tensor:
    """Compute -mean log D(fake), which keeps its slope where D wins (Goodfellow et al. 2014)."""
    return functional.softplus(-fake_logits).mean()


def compute_wasserstein_critic_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Compute mean(fake) - mean(real): the critic lowers it by rating real images higher."""
    return fake_logits.mean() - real_logits.mean()


def compute_wasserstein_generator_loss(fake_logits: Tensor) -> Tensor:
    """Compute -mean(fake) (Arjovsky et al. 2017)."""
    return -fake_logits.mean()


def compute_gradient_penalty(
    critic: nn.Module, real_images: Tensor, fake_images: Tensor, epsilon: Tensor
) -> Tensor:
    """Compute mean((|gradient| - 1)^2) at points between real and fake (Gulrajani et al. 2017).

    Images are (N, C, H, W); ``epsilon`` is (N,), uniform in [0, 1]: the share of the real image.
    The gradient's norm is taken per sample, in float32.
    """
    points = torch.lerp(fake_images.detach(), real_images, epsilon.view(-1, 1, 1, 1))
    points.requires_grad_(True)
    logits = critic(points)
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    norms = gradient.float().flatten(1).norm(dim=1)  # (N, C, H, W) -> (N,)
    return (norms - 1).square().mean()


OBJECTIVES: dict[str, Objective] = {
    "non_saturating": Objective(
        compute_bce_discriminator_loss, compute_non_saturating_generator_loss, True
    ),
    "wasserstein": Objective(
        compute_wasserstein_critic_loss, compute_wasserstein_generator_loss, False
    ),
}
