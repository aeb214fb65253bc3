"""Optimisers and learning rates by hand."""

import pytest
import torch
from torch import nn

from training.config import TrainConfig
from training.optimizers import OPTIMIZERS, NetworkOptimizer, compute_rate_factor


def make_optimizer(network, learning_rate=0.1, weight_clip=0.0, **options):
    config = TrainConfig("dcgan", "any", "any", **options).resolve()
    return NetworkOptimizer(network, config, learning_rate, weight_clip)


def make_network(value=1.0):
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


def test_first_steps_by_hand():
    for name, expected in (("rmsprop", 1.0 - 1.0), ("adam", 1.0 - 0.1)):
        network = make_network()
        optimizer = make_optimizer(network, optimizer=name)
        network.weight.grad = torch.full((1, 1), 2.0)
        optimizer.step()
        # RMSprop: v = 0.01 * 2^2, step 0.1 * 2 / 0.2. Adam's first step is the rate itself.
        assert network.weight.item() == pytest.approx(expected, abs=1e-5)


def test_two_steps_of_adam_have_the_betas_of_the_options():
    network = make_network()
    optimizer = make_optimizer(network, optimizer="adam", beta1=0.0, beta2=0.9)
    for gradient in (2.0, 1.0):
        network.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
    # The first moment is the last gradient. The second is 0.9 * 0.4 + 0.1, over 1 - 0.9^2: 0.46 /
    # 0.19. Steps of 0.1 * 2 / 2 and 0.1 * 1 / 1.556.
    assert network.weight.item() == pytest.approx(1 - 0.1 - 0.1 / (0.46 / 0.19) ** 0.5, abs=1e-6)


def test_every_optimizer_comes_down_a_slope():
    for name in OPTIMIZERS:
        network = make_network(3.0)
        optimizer = make_optimizer(network, 0.05, optimizer=name)
        for _ in range(200):
            optimizer.zero_grad()
            network(torch.ones(1, 1)).square().sum().backward()
            optimizer.step()
        assert abs(network.weight.item()) < 0.1


def test_weights_are_clipped_after_a_step():
    network = make_network(0.005)
    optimizer = make_optimizer(network, weight_clip=0.01)
    network.weight.grad = torch.full((1, 1), -2.0)
    optimizer.step()
    assert network.weight.item() == pytest.approx(0.01)


def test_historical_averaging_pulls_back():
    network = make_network(0.0)
    optimizer = make_optimizer(network, 0.1, historical_averaging=0.5)
    network.weight.data.fill_(2.0)  # the mean of the past is 0
    optimizer.zero_grad()
    network.weight.grad = torch.zeros(1, 1)
    optimizer.step()
    assert network.weight.grad.item() == pytest.approx(2.0)
    assert network.weight.item() == pytest.approx(1.9)


@pytest.mark.parametrize(
    ("fraction", "decay", "factor"),
    [
        *((0.5, 0.25, 1.0), (0.75, 0.25, 1.0), (0.875, 0.25, 0.5), (1.0, 0.25, 0.0)),
        *((0.3, 1.0, 0.7), (1.2, 0.25, 0.0), (0.9, 0.0, 1.0), (1.2, 0.0, 1.0)),
    ],
)
def test_rates_fall_linearly_over_the_last_share(fraction, decay, factor):
    assert compute_rate_factor(fraction, decay) == pytest.approx(factor)


def get_rate(optimizer):
    return optimizer.optimizer.param_groups[0]["lr"]


def test_the_rate_in_use_follows_base_and_progress():
    optimizer = make_optimizer(make_network(), lr_decay=0.5)
    optimizer.set_progress(0.75)
    assert get_rate(optimizer) == pytest.approx(0.05)
    optimizer.optimizer.param_groups[0]["initial_lr"] /= 2  # a base rate may change on the way
    optimizer.set_progress(0.75)
    assert get_rate(optimizer) == pytest.approx(0.025)
    restored = make_optimizer(make_network(), lr_decay=0.5)
    restored.load_state_dict(optimizer.state_dict())
    restored.set_progress(0.0)
    assert get_rate(restored) == pytest.approx(0.05)


def test_the_rate_that_is_told_is_the_one_in_use_and_outlives_a_state():
    optimizer = make_optimizer(make_network(), lr_decay=0.5)
    assert optimizer.rate == 0.1
    optimizer.set_progress(0.75)
    assert optimizer.rate == get_rate(optimizer) == pytest.approx(0.05)
    assert optimizer.scale_base_rate(0.5) == pytest.approx(0.05)
    assert optimizer.rate == get_rate(optimizer) == pytest.approx(0.025)
    restored = make_optimizer(make_network(), lr_decay=0.5)
    restored.load_state_dict(optimizer.state_dict())
    assert restored.rate == get_rate(restored) == optimizer.rate


def test_a_state_without_base_rates_keeps_the_rate_it_has():
    saved = make_optimizer(make_network(), 0.3).state_dict()
    del saved["param_groups"][0]["initial_lr"]  # as older versions wrote it
    restored = make_optimizer(make_network(), 0.1)
    restored.load_state_dict(saved)
    restored.set_progress(0.5)
    assert get_rate(restored) == pytest.approx(0.3)
