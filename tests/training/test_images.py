"""Pixels and floats."""

import torch

from training.images import to_float, to_uint8


def test_every_level_survives_the_round_trip():
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(to_uint8(to_float(levels)), levels)


def test_to_uint8_rounds_to_the_nearest_level_and_clamps():
    # 127.5 is one level per unit: (x + 1) * 127.5 = 0, 99.6, 99.4, 255, and outside of the range.
    values = torch.tensor([-1.0, 99.6 / 127.5 - 1, 99.4 / 127.5 - 1, 1.0, -1.7, 1.01])
    assert to_uint8(values).tolist() == [0, 100, 99, 255, 0, 255]


def test_to_uint8_keeps_the_shape_and_does_not_change_its_input():
    images = torch.full((2, 3, 4, 5), 0.25)
    assert to_uint8(images).shape == (2, 3, 4, 5)
    assert torch.equal(images, torch.full((2, 3, 4, 5), 0.25))


def test_to_uint8_of_half_precision_does_not_lose_levels():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_float(levels).to(torch.float16)), levels)


def test_to_float_spans_minus_one_to_one():
    assert to_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == [
        -1.0,
        torch.tensor(-0.6).item(),
        1.0,
    ]
