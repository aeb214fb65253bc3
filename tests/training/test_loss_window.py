"""The losses since the last row of metrics: their means, and how they outlive a break."""

import torch

from training.loss_window import LossWindow
from training.updates import STAT_NAMES

CPU = torch.device("cpu")


def fill(window, count):
    for step in range(count):
        window.add(torch.arange(len(STAT_NAMES)) + float(step), 0.5)


def test_means_and_rate_are_those_of_the_steps():
    window = LossWindow()
    fill(window, 3)
    row = window.summarize(window.read(), images_per_step=6)
    assert [row[name] for name in STAT_NAMES] == [number + 1.0 for number in range(len(STAT_NAMES))]
    assert 11 < row["images_per_second"] <= 12  # 18 images in a little over 1.5 s
    window.clear()
    assert len(window) == 0
    assert window.means["loss_d"] == 1.0


def test_a_window_goes_on_after_a_break():
    before, after = LossWindow(), LossWindow()
    fill(before, 2)
    after.load_state_dict(before.state_dict(), CPU)
    for window in (before, after):
        window.add(torch.ones(len(STAT_NAMES)), 1.0)
    assert torch.equal(before.read(), after.read())


def test_an_open_window_of_a_version_with_fewer_losses_is_left_out():
    window = LossWindow()
    fill(window, 1)
    window.load_state_dict(
        {"stats": torch.zeros(4, 7), "seconds": 2.0, "means": {"loss_d": 3.0}}, CPU
    )
    assert (len(window), window.means) == (0, {"loss_d": 3.0})
    fill(window, 2)
    assert window.read().shape == (2, len(STAT_NAMES))
