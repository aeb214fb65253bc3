"""What the weights of a step's losses do, by formulas."""

import pytest
import torch

from tests.training.test_step import build_step
from training.losses import compute_gradient_penalty
from training.updates import Batch


@pytest.mark.parametrize(("options", "weight"), [({}, 10.0), ({"gp_weight": 2.5}, 2.5)])
def test_the_critic_s_loss_is_the_base_and_the_weighted_penalty(options, weight):
    step = build_step("wgan_gp", **options)
    rng = torch.Generator().manual_seed(0)
    real, fake = (torch.rand(2, 8, 3, 32, 32, generator=rng) * 2 - 1).unbind()
    epsilon = torch.rand(8, generator=rng)
    critic = step.discriminator
    base = critic(fake).mean() - critic(real).mean()
    penalty = compute_gradient_penalty(critic, real, fake, epsilon)
    assert penalty > 0.1  # no weight would do if there were none
    part = Batch(torch.zeros(8, 8), real, torch.zeros(8, 0), epsilon)
    loss, stats = step.updates.compute_critic_loss(part, fake)
    assert stats["penalty"].item() == pytest.approx(penalty.item(), rel=1e-5)
    expected = pytest.approx((base + weight * penalty).item(), rel=1e-5)
    assert (loss.item(), stats["loss_d"].item()) == (expected, expected)
