"""Sweeps of one label: what is read while noise and other labels stay."""

import numpy as np
import pytest
import torch
from torch import nn

from training.errors import ConfigError
from training.labels import ClassLabel, LabelLayout, NumberLabel
from training.metrics.label_reader import LabelReader
from training.metrics.label_sweep import LabelSweep, measure_sweep

LAYOUT = LabelLayout(
    (ClassLabel("side", ("left", "right"), (0.5, 0.5)), NumberLabel("level", (0.0, 50.0, 100.0)))
)


class Corners(nn.Module):
    """Show the number as the first pixel, the class as the second, and the noise as the third."""

    z_dim, labels = 1, LAYOUT

    def __init__(self, slope=1.0):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, z, rows):
        images = torch.zeros(len(rows), 1, 4, 4)
        images[:, 0, 0, 0] = self.slope * (rows[:, 1] / 50 - 1)
        images[:, 0, 0, 1] = rows[:, 0] * 2 - 1
        images[:, 0, 0, 2] = z[:, 0].clamp(-1, 1)
        return images


class CornerReader(nn.Module):
    """Read these pixels; labels are its layout's in another order."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        self.seen.append(images[:, 0, 0, 2])
        side = images[:, 0, 0, 1]
        return torch.stack([images[:, 0, 0, 0], -side, side], dim=1)


@pytest.fixture
def reader():
    layout = LabelLayout((LAYOUT.find("level"), LAYOUT.find("side")))
    return LabelReader(layout, {}, CornerReader(), (), 0)


def test_a_number_is_read_along_each_seed_with_its_noise(reader):
    sweep = measure_sweep(Corners(), "level", reader, [3, 4, 5])
    assert sweep.stops == tuple(LAYOUT.find("level").list_stops(16))
    assert sweep.read.shape == (3, 16)
    np.testing.assert_allclose(sweep.read, np.array([sweep.stops] * 3), atol=0.5)  # 8 bits
    np.testing.assert_allclose(sweep.correlations, 1.0)
    assert [len(noise.unique()) for noise in reader.network.seen] == [1, 1, 1]
    assert len(torch.cat(reader.network.seen).unique()) == 3
    facts = sweep.describe()
    assert (facts["num_seeds"], facts["correlation"]) == (3, {"mean": 1.0, "lowest": 1.0})
    back = measure_sweep(Corners(-1.0), "level", reader, [3])
    np.testing.assert_allclose(back.correlations, -1.0)


def test_a_class_is_read_at_all_its_values(reader):
    sweep = measure_sweep(Corners(), "side", reader, range(4))
    assert sweep.read.tolist() == [[0, 1]] * 4
    assert sweep.describe() == {
        "label": "side", "num_seeds": 4, "asked": ["left", "right"], "shares": [1.0, 1.0],
    }  # fmt: skip


def test_correlations_and_shares_are_those_of_the_rows():
    read = np.array([[1, 2, 3], [3, 2, 1], [2, 2, 2], [1, 3, 2]], np.float32)
    found = LabelSweep(NumberLabel("age", (0.0, 9.0)), (10.0, 20.0, 30.0), read)
    np.testing.assert_allclose(found.correlations, [1, -1, 0, 0.5])
    assert found.describe()["read"] == [1.75, 2.25, 2.0]
    assert found.describe()["correlation"] == {"mean": 0.125, "lowest": -1.0}
    hair = ClassLabel("hair", ("a", "b"), (0.5, 0.5))
    shares = LabelSweep(hair, (0.0, 1.0), np.array([[0, 1], [0, 0]], np.float32)).shares
    assert shares.tolist() == [1.0, 0.5]


def test_an_unknown_label_is_refused(reader):
    with pytest.raises(ConfigError, match="no label 'age': the model's labels are side, level"):
        measure_sweep(Corners(), "age", reader, [0])
