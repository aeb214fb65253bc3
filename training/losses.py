"""Adversarial objectives as pure functions of logits; logits are (N,), results are scalars."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Objective:
    """Pair a discriminator loss of (real, fake) logits with a generator loss of fake logits.

    ``are_logits_probabilities`` says whether sigmoid(logits) is the probability of being real,
    ``has_boundary`` whether a logit above 0 means real, and ``has_labels`` whether the
    discriminator loss is a cross entropy with labels, which can be smoothed.
    """

    compute_discriminator_loss: Callable[[Tensor, Tensor], Tensor]
    compute_generator_loss: Callable[[Tensor], Tensor]
    are_logits_probabilities: bool = False
    has_boundary: bool = False
    has_labels: bool = False


def compute_bce_discriminator_loss(
    real_logits: Tensor, fake_logits: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """Compute -mean log D(real) - mean log(1 - D(fake)) (Goodfellow et al. 2014).

    One-sided label smoothing takes 1 - ``label_smoothing`` as the label of real images and leaves
    that of generated ones at 0 (Salimans et al. 2016).
    """
    # Cross entropy with label 1 - a: (1 - a) softplus(-x) + a softplus(x) = softplus(-x) + a x.
    real_loss = functional.softplus(-real_logits) + label_smoothing * real_logits
    return real_loss.mean() + functional.softplus(fake_logits).mean()


def compute_non_saturating_generator_loss(fake_logits: Tensor) -> Tensor:
    """Compute -mean log D(fake), which keeps its slope where D wins (Goodfellow et al. 2014)."""
    return functional.softplus(-fake_logits).mean()


def compute_wasserstein_critic_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Compute mean(fake) - mean(real): the critic lowers it by rating real images higher."""
    return fake_logits.mean() - real_logits.mean()


def compute_wasserstein_generator_loss(fake_logits: Tensor) -> Tensor:
    """Compute -mean(fake) (Arjovsky et al. 2017); with the hinge loss, too."""
    return -fake_logits.mean()


def compute_hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Compute mean max(0, 1 - real) + mean max(0, 1 + fake) (Lim and Ye 2017)."""
    return functional.relu(1 - real_logits).mean() + functional.relu(1 + fake_logits).mean()


def compute_gradient_penalty(
    critic: Callable[[Tensor], Tensor], real_images: Tensor, fake_images: Tensor, epsilon: Tensor
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


def compute_accuracy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Compute the share of logits on the right side of 0: above for real, below for fake."""
    return ((real_logits > 0).float().mean() + (fake_logits < 0).float().mean()) / 2


def compute_feature_distance(real_features: Tensor, fake_features: Tensor) -> Tensor:
    """Compute |mean real - mean fake|^2 of features (N, ...), means over N (Salimans et al. 2016).

    It is taken in float32.
    """
    return (real_features.float().mean(0) - fake_features.float().mean(0)).square().sum()


OBJECTIVES: dict[str, Objective] = {
    "non_saturating": Objective(
        compute_bce_discriminator_loss,
        compute_non_saturating_generator_loss,
        are_logits_probabilities=True,
        has_boundary=True,
        has_labels=True,
    ),
    "wasserstein": Objective(compute_wasserstein_critic_loss, compute_wasserstein_generator_loss),
    "hinge": Objective(
        compute_hinge_discriminator_loss, compute_wasserstein_generator_loss, has_boundary=True
    ),
}


def build_objective(name: str, label_smoothing: float = 0.0) -> Objective:
    """Look up an objective, its real labels smoothed; only those with labels can be."""
    objective = OBJECTIVES[name]
    if not objective.has_labels:
        return objective
    smoothed = partial(compute_bce_discriminator_loss, label_smoothing=label_smoothing)
    return replace(objective, compute_discriminator_loss=smoothed)
