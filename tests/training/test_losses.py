"""Objectives against values computed by hand."""

import math

import pytest
import torch
from torch import nn

from training.losses import (
    OBJECTIVES,
    build_objective,
    compute_accuracy,
    compute_bce_discriminator_loss,
    compute_feature_distance,
    compute_gradient_penalty,
    compute_hinge_discriminator_loss,
    compute_non_saturating_generator_loss,
    compute_wasserstein_critic_loss,
    compute_wasserstein_generator_loss,
)

LOG_3 = math.log(3)  # sigmoid(log 3) = 3/4


def test_bce_discriminator_loss_by_hand():
    # -log(3/4) - log(1 - 1/4) for the first pair, -log(1/2) - log(1/2) for the second.
    real, fake = torch.tensor([LOG_3, 0.0]), torch.tensor([-LOG_3, 0.0])
    expected = (2 * math.log(4 / 3) + 2 * math.log(2)) / 2
    assert compute_bce_discriminator_loss(real, fake).item() == pytest.approx(expected, rel=1e-6)


def test_bce_losses_equal_those_of_torch():
    torch.manual_seed(1)
    real, fake = torch.randn(9), torch.randn(9)
    bce = nn.BCEWithLogitsLoss()
    discriminator = bce(real, torch.ones(9)) + bce(fake, torch.zeros(9))
    assert compute_bce_discriminator_loss(real, fake).item() == pytest.approx(discriminator.item())
    generator = bce(fake, torch.ones(9))
    assert compute_non_saturating_generator_loss(fake).item() == pytest.approx(generator.item())


def test_non_saturating_loss_keeps_its_slope_where_the_discriminator_wins():
    logits = torch.tensor([-30.0], requires_grad=True)
    compute_non_saturating_generator_loss(logits).backward()
    assert logits.grad.item() == pytest.approx(-1.0)  # log(1 - D) would give -1e-13


def test_losses_are_finite_for_extreme_logits():
    extreme = torch.tensor([1e4, -1e4])
    assert compute_bce_discriminator_loss(extreme, extreme).item() == pytest.approx(1e4)
    assert compute_non_saturating_generator_loss(extreme).item() == pytest.approx(5e3)


def test_wasserstein_losses_by_hand():
    real, fake = torch.tensor([3.0, 1.0]), torch.tensor([-2.0, 1.0])
    assert compute_wasserstein_critic_loss(real, fake).item() == pytest.approx(-0.5 - 2.0)
    assert compute_wasserstein_generator_loss(fake).item() == pytest.approx(0.5)


def test_wasserstein_critic_learns_to_rate_real_images_higher():
    """Guard the sign: following the loss downhill must raise real above fake."""
    scale = torch.tensor(0.0, requires_grad=True)
    real, fake = torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 0.0])
    compute_wasserstein_critic_loss(scale * real, scale * fake).backward()
    assert scale.grad.item() == pytest.approx(-2.0)  # downhill is a larger scale: real up
    logits = torch.tensor([0.0], requires_grad=True)
    compute_wasserstein_generator_loss(logits).backward()
    assert logits.grad.item() == pytest.approx(-1.0)  # downhill: fake images rated higher


def test_smoothed_labels_are_those_of_torch():
    torch.manual_seed(1)
    real, fake = torch.randn(9), torch.randn(9)
    bce = nn.BCEWithLogitsLoss()
    expected = bce(real, torch.full((9,), 0.9)) + bce(fake, torch.zeros(9))
    found = build_objective("non_saturating", 0.1).compute_discriminator_loss(real, fake)
    assert found.item() == pytest.approx(expected.item())
    # D(real) = 1 - a is then best: more certainty costs.
    logits = torch.logit(torch.tensor([0.9])).requires_grad_(True)
    compute_bce_discriminator_loss(logits, logits.detach(), label_smoothing=0.1).backward()
    assert logits.grad.item() == pytest.approx(0.0, abs=1e-6)


def test_hinge_losses_by_hand():
    real, fake = torch.tensor([3.0, 0.5, -1.0]), torch.tensor([-2.0, 1.0, -0.25])
    # Real: 0, 0.5 and 2. Fake: 0, 2 and 0.75.
    found = compute_hinge_discriminator_loss(real, fake)
    assert found.item() == pytest.approx(2.5 / 3 + 2.75 / 3)
    objective = build_objective("hinge")
    assert objective.compute_discriminator_loss(real, fake) == found
    assert objective.compute_generator_loss(fake).item() == pytest.approx(1.25 / 3)


def test_hinge_loss_has_no_slope_beyond_the_margin():
    real, fake = torch.tensor([2.0], requires_grad=True), torch.tensor([0.0], requires_grad=True)
    compute_hinge_discriminator_loss(real, fake).backward()
    assert (real.grad.item(), fake.grad.item()) == (0.0, 1.0)


def test_accuracy_by_hand():
    real, fake = torch.tensor([1.0, -1.0, 0.0, 2.0]), torch.tensor([-1.0, -2.0, 0.0, -3.0])
    assert compute_accuracy(real, fake).item() == pytest.approx((2 / 4 + 3 / 4) / 2)


def test_feature_distance_by_hand():
    real = torch.tensor([[[1.0], [2.0]], [[3.0], [2.0]]])  # (2, 2, 1), mean (2, 2)
    fake = torch.tensor([[[0.0], [5.0]], [[0.0], [3.0]]])  # mean (0, 4)
    assert compute_feature_distance(real, fake).item() == pytest.approx(4.0 + 4.0)


class LinearCritic(nn.Module):
    """Rate an image by a weighted sum of its pixels: its gradient is the weights everywhere."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images):
        return (images * self.weights).flatten(1).sum(1)


def test_gradient_penalty_of_a_linear_critic():
    weights = torch.zeros(1, 2, 2)
    weights[0, 0, 0], weights[0, 1, 1] = 3.0, 4.0  # norm 5
    critic = LinearCritic(weights)
    real, fake = torch.randn(6, 1, 2, 2), torch.randn(6, 1, 2, 2)
    penalty = compute_gradient_penalty(critic, real, fake, torch.rand(6))
    assert penalty.item() == pytest.approx(16.0, rel=1e-5)
    penalty.backward()
    # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w| = 8 (0.6, 0.8)
    assert critic.weights.grad[0, 0, 0].item() == pytest.approx(4.8, rel=1e-5)
    assert critic.weights.grad[0, 1, 1].item() == pytest.approx(6.4, rel=1e-5)


class SquareCritic(nn.Module):
    """Rate an image by half its squared norm: its gradient is the image."""

    def forward(self, images):
        return images.square().flatten(1).sum(1) / 2


def test_gradient_penalty_is_taken_between_real_and_fake_per_sample():
    real = torch.full((2, 1, 1, 1), 4.0)
    fake = torch.zeros(2, 1, 1, 1)
    # The points are 4 * 0.5 = 2 and 4 * 1 = 4: penalties 1 and 9, mean 5.
    epsilon = torch.tensor([0.5, 1.0])
    penalty = compute_gradient_penalty(SquareCritic(), real, fake, epsilon)
    assert penalty.item() == pytest.approx(5.0)


def test_every_model_names_a_known_objective():
    from training.models import MODELS

    for spec in MODELS.values():
        assert spec.objective in OBJECTIVES
