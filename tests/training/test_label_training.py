"""A LabelGAN in training: scores with label fidelity, and labels that a stranger can read."""

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training import scoring
from training.cards import format_card
from training.checkpoint import load_generator
from training.config import TrainConfig
from training.datasets import DatasetOptions, ImageDataset, LabelColumn
from training.datasets.label_rows import read_label_rows
from training.errors import DatasetError, ProjectError
from training.history import read_history, select_scores
from training.metrics.label_fidelity import measure_fidelity
from training.metrics.label_reader import train_reader
from training.metrics.sampling import make_labelled_images
from training.runs import RunFolder, RunOptions
from training.trainer import Trainer

SIDE = 32
COLUMNS = (LabelColumn("half", ("left", "right")), LabelColumn("tone", ("dark", "bright")))


@pytest.fixture(scope="module")
def toy():
    """600 images in which one half is lighter than the other, dark or bright as a whole."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (600, 2))
    images = rng.integers(0, 40, (600, 1, SIDE, SIDE)).astype(np.uint8)
    images += (80 * labels[:, 1]).astype(np.uint8)[:, None, None, None]
    left, right = images[..., : SIDE // 2], images[..., SIDE // 2 :]
    left[labels[:, 0] == 0] += 100
    right[labels[:, 0] == 1] += 100
    return ImageDataset("toy", "Toy", "CC0", images, "toy", labels, COLUMNS)


def test_a_cache_that_cannot_keep_the_reader_is_said_before_it_is_trained(
    tmp_path, toy, monkeypatch, capsys
):
    """A file in the place of the cache's folder; learning even a few images would show progress."""
    monkeypatch.setattr(scoring, "NUM_IMAGES_READ", 256)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "readers").touch()
    config = TrainConfig("label_gan", toy.name, "toy").resolve()
    places = (torch.device("cpu"), tmp_path / "checkpoints", tmp_path / "cache")
    scorer = scoring.TrainingScorer(config, toy, *places, labels=read_label_rows(toy))
    with pytest.raises(ProjectError, match="readers cannot be written"):
        _ = scorer.reader
    assert capsys.readouterr().err == ""


def build_trainer(tmp_path, dataset, **options):
    small = {"width": 4, "batch_size": 16, "z_dim": 8, "precision": "fp32", "grid_every": 0}
    config = TrainConfig("label_gan", dataset.name, "toy", **{**small, **options})
    images = DatasetOptions(cache_dir=tmp_path / "cache")
    run = RunOptions(config, images, tmp_path / "checkpoints", "train")
    folder = RunFolder(tmp_path / "runs" / "toy")
    return Trainer(run, dataset, folder, torch.device("cpu"))


def test_a_few_hundred_steps_on_obvious_labels_are_read_by_a_stranger(tmp_path, toy):
    # A predictor that learns from generated images alone may agree with the generator on a code of
    # their own, such as the other half: real images give the labels their meaning.
    options = {"predictor_data": "both", "predictor_weight": 3.0, "learning_rate_g": 1e-3}
    trainer = build_trainer(
        tmp_path, toy, steps=200, score_every=0, critic_steps=1, ema_decay=0.9, **options
    )
    trainer.train()
    labels = read_label_rows(toy)
    reader = train_reader(toy, labels, num_images_seen=6000, progress=False)
    assert all(agreement.value > 0.95 for agreement in reader.agreements)
    generator, header = load_generator(trainer.checkpoint_path)
    assert header.model.labels == labels.layout
    found = measure_fidelity(make_labelled_images(generator, "cpu"), labels.layout, reader, 200)
    assert [one.fidelity.name for one in found] == ["half", "tone"]
    assert all(one.fidelity.value > 0.95 for one in found)


def test_scores_come_with_label_fidelity_and_the_card_says_so(
    tmp_path, toy, tiny_extractor, monkeypatch
):
    monkeypatch.setattr("training.scoring.NUM_IMAGES_READ", 6000)
    trainer = build_trainer(
        tmp_path, toy, steps=4, score_every=2, score_samples=64, extractor=tiny_extractor.key
    )
    trainer.train()
    rows = select_scores(read_history(trainer.folder.metrics_path))
    assert [row["step"] for row in rows] == [2, 4]
    for row in rows:
        half, tone = row["labels"]
        assert (half["label"], tone["label"]) == ("half", "tone")
        for one in (half, tone):
            assert one["fidelity"]["num_images"] == 64
            assert one["reader_on_real"]["value"] > 0.95
            expected = one["predictor"]["value"] - one["fidelity"]["value"]
            assert one["hidden_information"] == pytest.approx(expected)
    header = load_generator(trainer.checkpoint_path)[1]
    card = format_card("toy", header, None)
    value = header.best_score["labels"][0]["fidelity"]["value"]
    assert f"| label half | left, right; an independent reader reads {100 * value:.1f} %" in card
    assert list((tmp_path / "cache" / "readers").glob("*.safetensors"))
    # Each value has at least 10 images of both kinds: 64 samples, 600 real ones.
    diversity = header.best_score["labels"][0]["diversity"]
    assert diversity["lowest_group"] in ("left", "right")
    assert 0 <= diversity["lowest"] <= diversity["mean"]
    events = EventAccumulator(str(trainer.folder.tensorboard)).Reload()
    for reader in ("fidelity", "predictor"):
        logged = {event.step: event.value for event in events.Scalars(f"labels/half/{reader}")}
        expected = {row["step"]: row["labels"][0][reader]["value"] for row in rows}
        assert logged == pytest.approx(expected)


def test_templates_are_the_mean_images_and_do_not_learn(tmp_path, toy):
    trainer = build_trainer(tmp_path, toy, labels="half", steps=2, score_every=0)
    before = trainer.engine.generator.templates.clone()
    assert before[0, :, :, :10].mean() > before[0, :, :, -10:].mean() + 0.5
    trainer.train()
    for generator in (trainer.engine.generator, trainer.engine.generator_ema):
        assert torch.equal(generator.templates, before)


def test_a_data_set_without_labels_is_refused(tmp_path, dataset):
    with pytest.raises(DatasetError, match="folder:colours has no labels"):
        build_trainer(tmp_path, dataset)
