"""Scoring while a training runs: a stop waits for one batch of images at most."""

import hashlib
import os
import signal

import pytest
import torch
from torch import nn

from training.history import read_history
from training.metrics.extractors import EXTRACTORS, Extractor, ExtractorSpec
from training.metrics.reference import compute_reference, save_reference
from training.scoring import TrainingScorer


class SignallingNetwork(nn.Module):
    """Count the images it sees, and after a number of them send Ctrl-C to its own process."""

    def __init__(self, num_before):
        super().__init__()
        self.num_before, self.num_seen = num_before, 0

    def forward(self, images):
        features = nn.functional.adaptive_avg_pool2d(images.float() / 255, 4).flatten(1)
        if self.num_seen < self.num_before <= self.num_seen + len(images):
            os.kill(os.getpid(), signal.SIGINT)
        self.num_seen += len(images)
        return features


def register(monkeypatch, network):
    """Register an extractor of 48 features that runs a network."""

    def load(weights, device):
        return Extractor("signalling", "FD", 48, network, torch.device("cpu"))

    monkeypatch.setitem(EXTRACTORS, "signalling", ExtractorSpec("signalling", "FD", 48, load))
    return "signalling"


@pytest.mark.parametrize("is_own", [False, True])
def test_a_stored_reference_is_taken_for_its_own_weights_only(
    build_trainer, tiny_extractor, tmp_path, is_own
):
    """Beside the checkpoints lies one of the usual weights, of 40 of the 48 images."""
    (tmp_path / "weights.pth").write_bytes(b"other")
    options = {"extractor_weights": str(tmp_path / "weights.pth")} if is_own else {}
    trainer = build_trainer(score_every=2, extractor="tiny", **options)
    stored = compute_reference(trainer.dataset, "tiny", progress=False, max_images=40)
    save_reference(tmp_path / "checkpoints" / "references" / "any.safetensors", stored)
    config = trainer.config
    places = (torch.device("cpu"), tmp_path / "checkpoints", tmp_path / "cache")
    found = TrainingScorer(config, trainer.dataset, *places).reference
    expected = hashlib.sha256(b"other").hexdigest()[:16] if is_own else None
    assert found.weights == expected
    assert found.statistics.num_samples == (48 if is_own else 40)


def test_a_stop_during_a_score_waits_for_one_batch_of_images(build_trainer, monkeypatch):
    # The reference takes the 48 real images; the signal comes in the third batch of samples.
    network = SignallingNetwork(num_before=48 + 2 * 64 + 1)
    extractor = register(monkeypatch, network)
    trainer = build_trainer(steps=4, score_every=2, score_samples=6400, extractor=extractor)
    stop = trainer.train()
    assert stop.received == signal.SIGINT
    assert network.num_seen == 48 + 3 * 64
    assert trainer.folder.states.load()["step"] == 2
    rows = read_history(trainer.folder.metrics_path)
    assert [row["step"] for row in rows] == [2]
    assert "score" not in rows[0]
    assert not trainer.checkpoint_path.exists()


def test_a_stop_during_the_embedding_waits_for_one_batch_too(build_trainer, monkeypatch):
    network = SignallingNetwork(num_before=1)
    extractor = register(monkeypatch, network)
    trainer = build_trainer(steps=2, projector=48, extractor=extractor)
    trainer.train()
    assert network.num_seen == 48  # the generated ones; the real ones would be as many
    assert trainer.is_done
    assert not list(trainer.folder.tensorboard.rglob("projector_config.pbtxt"))
