"""Historical averaging against autograd on the written-out formula, and clipping by hand."""

import pytest
import torch
from torch import nn

from training.regularizers import HistoricalAverage, clip_weights


def make_parameters(*values):
    return [nn.Parameter(torch.tensor(value)) for value in values]


def test_historical_averaging_has_the_gradient_of_its_formula():
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.randn(4))]
    average = HistoricalAverage(parameters, weight=0.3)
    past = [[parameter.detach().clone() for parameter in parameters]]
    for _ in range(3):
        with torch.no_grad():
            for parameter in parameters:
                parameter.add_(torch.randn_like(parameter))
        average.update()
        past.append([parameter.detach().clone() for parameter in parameters])
    targets = [torch.randn_like(parameter) for parameter in parameters]

    def compute_loss():
        return sum((p * t).sum() for p, t in zip(parameters, targets, strict=True))

    compute_loss().backward()
    average.add_gradients()
    means = [torch.stack(values).mean(0) for values in zip(*past, strict=True)]
    term = sum((p - mean).square().sum() for p, mean in zip(parameters, means, strict=True))
    expected = torch.autograd.grad(compute_loss() + 0.3 * term, parameters)
    for parameter, gradient in zip(parameters, expected, strict=True):
        assert torch.allclose(parameter.grad, gradient, atol=1e-6)


def test_historical_averaging_by_hand():
    (weight,) = parameters = make_parameters([1.0])
    average = HistoricalAverage(parameters, weight=0.5)
    weight.grad = torch.zeros(1)
    average.add_gradients()
    assert weight.grad.item() == 0.0  # nothing but the present in the past
    weight.data.fill_(4.0)
    average.update()
    average.add_gradients()
    assert weight.grad.item() == pytest.approx(2 * 0.5 * (4.0 - 2.5))


def test_weights_without_a_gradient_are_left_alone():
    first, second = parameters = make_parameters([1.0], [1.0])
    average = HistoricalAverage(parameters, weight=1.0)
    second.data.fill_(3.0)
    second.grad = torch.zeros(1)
    average.add_gradients()
    assert first.grad is None
    assert second.grad.item() == pytest.approx(4.0)


def test_the_mean_goes_on_after_a_restore():
    (weight,) = parameters = make_parameters([2.0])
    average = HistoricalAverage(parameters, weight=0.5)
    weight.data.fill_(4.0)
    average.update()  # 3
    restored = HistoricalAverage(parameters, weight=0.5)
    restored.load_state_dict(average.state_dict())
    weight.data.fill_(9.0)
    restored.update()  # (2 + 4 + 9) / 3 = 5
    weight.grad = torch.zeros(1)
    restored.add_gradients()
    assert weight.grad.item() == pytest.approx(9.0 - 5.0)


def test_clipping_by_hand():
    parameters = make_parameters([-0.5, 0.005, 0.02], [-0.01])
    clip_weights(parameters, 0.01)
    assert parameters[0].tolist() == pytest.approx([-0.01, 0.005, 0.01])
    assert parameters[1].tolist() == pytest.approx([-0.01])
