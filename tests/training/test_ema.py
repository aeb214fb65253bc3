"""The averaged generator against values computed by hand."""

import pytest
import torch
from torch import nn

from tests.training.test_step import build_batches, build_step
from training.ema import AveragedGenerator, warm_up_decay


def make_network(value):
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    nn.init.constant_(network[0].weight, value)
    network[1].running_mean.fill_(10 * value)
    network[1].num_batches_tracked.fill_(int(value))
    return network


def test_average_by_hand():
    generator = make_network(0.0)
    average = AveragedGenerator(generator)
    averaged = average.network
    generator.load_state_dict(make_network(8.0).state_dict())
    average.update(decay=0.75)
    assert averaged[0].weight.item() == pytest.approx(2.0)
    assert averaged[1].running_mean.item() == pytest.approx(20.0)
    assert averaged[1].num_batches_tracked.item() == 8
    average.update(decay=0.75)
    assert averaged[0].weight.item() == pytest.approx(3.5)
    assert generator[0].weight.item() == 8.0


def test_average_is_a_copy_for_evaluation():
    generator = make_network(1.0)
    averaged = AveragedGenerator(generator).network
    assert not averaged.training
    assert not any(weights.requires_grad for weights in averaged.parameters())
    generator[0].weight.data.fill_(9.0)
    assert averaged[0].weight.item() == 1.0


def test_decay_warms_up():
    assert warm_up_decay(0.999, 1) == pytest.approx(2 / 11)
    assert warm_up_decay(0.999, 90) == pytest.approx(0.91)
    assert warm_up_decay(0.999, 100_000) == 0.999


def test_average_is_a_weighted_sum_of_all_steps():
    generator = make_network(0.0)
    average = AveragedGenerator(generator)
    values = torch.tensor([1.0, 5.0, -2.0, 4.0])
    for value in values:
        generator[0].weight.data.fill_(value)
        average.update(decay=0.9)
    weights = 0.1 * 0.9 ** torch.arange(3, -1, -1)
    assert average.network[0].weight.item() == pytest.approx(
        (weights * values).sum().item(), rel=1e-5
    )


@pytest.mark.parametrize(("ema_decay", "expected"), [(0.0, 0.0), (0.1, 0.1), (0.999, 2 / 11)])
def test_a_step_averages_with_the_decay_of_the_options(ema_decay, expected):
    step = build_step(ema_decay=ema_decay)
    before = step.generator.layers[0].weight.detach().clone()
    step.run(1, build_batches().draw)
    moved, averaged = (net.layers[0].weight for net in (step.generator, step.generator_ema))
    assert (moved - before).abs().max() > 1e-5
    wanted = expected * before + (1 - expected) * moved
    assert torch.allclose(averaged, wanted, rtol=0, atol=1e-7)
