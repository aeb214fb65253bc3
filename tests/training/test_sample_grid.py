"""The grids of samples that a training keeps: which latents, where, and what takes them back."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.test_trainer import CPU, label_images
from training.errors import TrainingError
from training.metrics.sampling import make_seeded_images


@pytest.mark.parametrize("channels", [1, 3])
def test_grids_of_fixed_seeds_are_kept_as_files_from_step_0_on(build_trainer, dataset, channels):
    images = np.ascontiguousarray(dataset.images[:, :channels])
    data = dataclasses.replace(dataset, images=images)
    trainer = build_trainer(data=data, steps=4, grid_every=2)
    trainer.train()
    grids = trainer.folder.list_grids()
    assert [(step, path.name) for step, path in grids.items()] == [
        (0, "step-0000000.png"), (2, "step-0000002.png"), (4, "step-0000004.png"),
    ]  # fmt: skip
    expected = make_seeded_images(trainer.engine.generator_ema, CPU)(0, 64)  # (64, C, 32, 32)
    with Image.open(grids[4]) as picture:
        pixels = np.asarray(picture).reshape(256, 256, channels)
    for seed in (0, 7, 8, 63):
        top, left = 32 * (seed // 8), 32 * (seed % 8)
        tile = pixels[top : top + 32, left : left + 32]
        np.testing.assert_array_equal(tile, expected[seed].permute(1, 2, 0).numpy())


def test_no_grids_are_made_where_none_are_wanted(build_trainer):
    trainer = build_trainer(steps=2, grid_every=0)
    trainer.train()
    assert trainer.folder.list_grids() == {}


def test_a_resume_drops_grids_of_steps_that_were_not_saved(build_trainer):
    trainer = build_trainer(steps=2, grid_every=2)
    trainer.train()
    trainer.folder.get_grid_path(4).write_bytes(b"of a step that was not saved")
    again = build_trainer(steps=3, grid_every=2)
    again.resume()
    again.train()
    assert list(trainer.folder.list_grids()) == [0, 2]


def fail_to_allocate(*_):
    return torch.empty(1 << 50)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("training.updates.build_discriminator", r"the networks: choose a smaller --width or --"),
        ("training.assembly.fit_templates", r"the networks: choose a smaller --width or --res"),
        ("training.batches.send", r"48 images: take fewer, with --max-images\.$"),
    ],
)
def test_networks_and_images_without_memory_are_one_sentence(
    place, sentence, build_trainer, dataset, monkeypatch
):
    monkeypatch.setattr(place, fail_to_allocate)
    with pytest.raises(TrainingError, match=f"^There is not enough memory for {sentence}"):
        build_trainer(model="label_gan", data=label_images(dataset))


def test_grids_and_embeddings_without_memory_are_one_sentence(
    build_trainer, tiny_extractor, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("training.sample_grid.make_seeded_images", lambda *_: fail_to_allocate)
        sentence = "memory for a grid of 64 samples: give --grid-every 0, or a smaller --width"
        with pytest.raises(TrainingError, match=sentence):
            build_trainer(grid_every=2).train()
        build_trainer(grid_every=0, steps=1).train()
    monkeypatch.setattr("training.scoring.make_seeded_images", lambda *_: fail_to_allocate)
    trainer = build_trainer("seen", projector=20, extractor="tiny", steps=2)
    sentence = r"an embedding of 20 samples and as many real images: the training is saved; give a"
    with pytest.raises(TrainingError, match=sentence):
        trainer.train()
    assert trainer.folder.states.load()["step"] == 2
    assert trainer.checkpoint_path.is_file()
