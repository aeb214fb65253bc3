"""How far a training is and where it ends: steps, images, minutes; and what it is given to see."""

import itertools
import types

import numpy as np
import pytest
import torch

from training import trainer as trainer_module
from training.config import TrainConfig
from training.datasets import ImageDataset
from training.progress import Progress


@pytest.mark.parametrize(
    ("goal", "fraction"),
    [({"steps": 400}, 0.25), ({"kimg": 16.0}, 0.4), ({"minutes": 5.0}, 0.3)],
)
def test_the_fraction_that_is_done_by_hand(goal, fraction):
    config = TrainConfig("dcgan", "any", "any", **goal).resolve()
    progress = Progress(step=100, images_seen=6400, seconds=90.0)
    assert progress.get_fraction(config) == pytest.approx(fraction)


def test_a_training_ends_with_the_images_it_was_to_see(build_trainer):
    trainer = build_trainer(steps=None, kimg=0.048)  # 48 images in batches of 8
    trainer.train()
    assert (trainer.progress.step, trainer.progress.images_seen) == (6, 48)
    assert trainer.is_done


@pytest.fixture
def ten_seconds_a_look(monkeypatch):
    """Let the trainer's clock go on by ten seconds whenever it is read, and not otherwise."""
    seconds = itertools.count(1000.0, 10.0)
    clock = types.SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr(trainer_module, "time", clock)


def test_a_training_ends_after_its_minutes_over_all_resumes(build_trainer, ten_seconds_a_look):
    """A step reads the clock three times: when it begins, when it ends, and for its progress."""
    trainer = build_trainer(steps=None, minutes=2)
    trainer.train()
    assert trainer.progress.step == 4
    first = trainer.progress.seconds
    assert 120 <= first <= 130  # the clock is read once more at the end
    resumed = build_trainer(steps=None, minutes=4)
    resumed.resume()
    assert resumed.progress.seconds == first
    resumed.train()
    assert resumed.progress.step == 8
    assert first + 110 <= resumed.progress.seconds <= first + 130


def test_mirrored_images_are_what_the_option_asks_for(build_trainer):
    images = np.zeros((48, 3, 32, 32), np.uint8)
    images[:, :, :, 16:] = 255  # dark on the left, bright on the right
    data = ImageDataset("folder:halves", "Halves", "CC0", images, "h")
    found = {}
    for is_mirrored in (False, True):
        trainer = build_trainer(is_mirrored=is_mirrored, data=data)
        batch = torch.cat([trainer.batches.draw().images for _ in range(6)])
        is_dark_left = batch[:, 0, 0, 0] < 0
        assert torch.equal(is_dark_left, batch[:, 0, 0, -1] > 0)
        found[is_mirrored] = is_dark_left.sum().item()
    assert found[False] == 48
    assert 10 <= found[True] <= 38  # fair coins: 24 +- 4 standard deviations
