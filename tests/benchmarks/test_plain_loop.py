"""The loop that the engine is measured against trains, and its penalty is the published one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.plain_loop import PictureDataset, PlainLoop, compute_plain_penalty
from training.config import TrainConfig
from training.losses import compute_gradient_penalty
from training.models import MODELS

CPU = torch.device("cpu")


def build_loop(model: str, **options: float) -> PlainLoop:
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (16, 3, 32, 32), np.uint8)
    config = TrainConfig(model, "none", "plain", batch_size=4, width=4, z_dim=8, **options)
    return PlainLoop(config, images, CPU, num_workers=0)


@pytest.mark.parametrize("model", [key for key, spec in MODELS.items() if not spec.has_labels])
def test_a_step_moves_the_weights_of_both_networks(model: str) -> None:
    loop = build_loop(model)
    parameters = [*loop.generator.parameters(), *loop.discriminator.parameters()]
    before = [parameter.clone() for parameter in parameters]
    losses = loop.run_step(loop.open_batches())
    assert all(map(math.isfinite, losses))
    moved = [not torch.equal(old, new) for old, new in zip(before, parameters, strict=True)]
    # A bias in front of a normalisation has no gradient; everything else moves.
    assert sum(moved) >= len(moved) - 4


def test_a_discriminator_alone_learns_to_tell_real_from_fake() -> None:
    loop = build_loop("dcgan", learning_rate_g=1e-8, learning_rate_d=1e-3)
    batches = loop.open_batches()
    losses = [loop.run_step(batches)[0] for _ in range(40)]
    # Two coin tosses cost 2 log 2 = 1.39; noise and a still generator are easy to tell apart.
    assert np.mean(losses[-5:]) < 0.5 < losses[0]


def test_a_gan_step_takes_one_batch_and_a_critic_one_a_step() -> None:
    for model, expected in (("dcgan", 1), ("wgan_gp", 5)):
        loop = build_loop(model)
        batches = itertools.islice(loop.open_batches(), 7)
        loop.run_step(batches)
        assert 7 - len(list(batches)) == expected


def test_pictures_become_floats_from_minus_one_to_one() -> None:
    images = np.zeros((1, 3, 2, 2), np.uint8)
    images[0, 0, 0, 1], images[0, 2, 1, 0] = 255, 51
    image = PictureDataset(images)[0]
    assert image.shape == (3, 2, 2)
    assert image[0].tolist() == [[-1, 1], [-1, -1]]
    assert image[2, 1, 0].item() == pytest.approx(51 / 127.5 - 1, abs=1e-6)


def test_the_penalty_of_a_linear_critic_by_hand() -> None:
    # D(x) = w x has the gradient w everywhere: with 12 pixels of w = 2 its norm is sqrt(48).
    critic = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False), nn.Flatten(0))
    nn.init.constant_(critic[1].weight, 2.0)
    images = torch.rand(5, 3, 2, 2)
    found = compute_plain_penalty(critic, images, -images)
    assert found.item() == pytest.approx((math.sqrt(48) - 1) ** 2, rel=1e-5)
    assert found.item() == pytest.approx(
        compute_gradient_penalty(critic, images, -images, torch.rand(5)).item(), rel=1e-5
    )


@pytest.mark.parametrize("model", ["dcgan", "wgan_gp"])
def test_its_layers_are_pytorch_s(model):
    loop = build_loop(model)
    layers = [*loop.generator.layers, *loop.discriminator.layers]
    assert {type(layer).__module__.partition(".")[0] for layer in layers} == {"torch"}
    assert sum(isinstance(layer, nn.Conv2d) for layer in layers) > 1
