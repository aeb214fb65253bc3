"""Scores beside a training that is stopped, diverges or fails: none is lost, or left behind."""

import concurrent.futures
import math
import os
import signal
import threading

import pytest
import torch
from torch import nn

from tests.training.late_runs import (
    LateRunner,
    before_step,
)
from tests.training.test_training_scores import (
    CADENCE,
    CPU,
    SCORING,
    PollRunner,
    assert_same_training,
    list_scored,
)
from training.errors import MetricError, TrainingError
from training.metrics.extractors import EXTRACTORS, Extractor, ExtractorSpec


class FailingNetwork(nn.Module):
    """Raise an error on samples, which other threads than the main one ask for."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, images):
        if threading.current_thread() is not threading.main_thread():
            raise self.error
        return nn.functional.adaptive_avg_pool2d(images.float() / 255, 4).flatten(1)


def test_a_stop_goes_back_to_the_step_whose_score_it_leaves_out(build_trainer, tiny_extractor):
    options = {**CADENCE, **SCORING, "save_every": 100}
    whole = build_trainer("whole", **options)
    whole.train()
    stopped = build_trainer("stopped", runner=LateRunner(), **options)
    before_step(stopped, lambda step: step == 15 and os.kill(os.getpid(), signal.SIGINT))
    assert stopped.train().received == signal.SIGINT
    assert stopped.progress.step == stopped.folder.states.load()["step"] == 12
    assert list_scored(stopped) == [6]
    assert not stopped.is_done
    resumed = build_trainer("stopped", runner=LateRunner(), **options)
    resumed.resume()
    resumed.train()
    assert_same_training(resumed, whole)


def test_a_stop_that_is_found_before_a_save_is_due_goes_back_too(build_trainer, tiny_extractor):
    """The signal comes in step 10, after which a save and a snapshot would be due."""
    options = {**CADENCE, **SCORING}
    trainer = build_trainer(runner=LateRunner(), **options)
    before_step(trainer, lambda step: step == 10 and os.kill(os.getpid(), signal.SIGINT))
    trainer.train()
    assert trainer.progress.step == 6
    assert [path.name for path in trainer.folder.states.list_paths()] == [
        "state-0000006.pt",
        "state-0000000.pt",
    ]


def test_a_stop_keeps_the_steps_after_a_score_that_is_there(build_trainer, tiny_extractor):
    runner = PollRunner()
    trainer = build_trainer(runner=runner, **CADENCE, **SCORING)

    def stop(step):
        if step == 8:
            concurrent.futures.wait(runner.results, timeout=300)
            os.kill(os.getpid(), signal.SIGINT)

    before_step(trainer, stop)
    trainer.train()
    assert trainer.progress.step == trainer.folder.states.load()["step"] == 8
    assert list_scored(trainer) == [6]


@pytest.mark.parametrize("on_nan", ["rewind", "stop"])
def test_a_divergence_waits_for_the_score_of_the_step_before(on_nan, build_trainer, tiny_extractor):
    options = {**CADENCE, **SCORING, "on_nan": on_nan}
    trainers = [
        build_trainer("inline", **options),
        build_trainer("late", runner=LateRunner(), **options),
    ]
    for trainer in trainers:
        rate = trainer.config.learning_rate_g

        def poison(step, trainer=trainer, rate=rate):
            if step == 8 and trainer.engine.optimizer_g.optimizer.param_groups[0]["lr"] == rate:
                with torch.no_grad():
                    next(trainer.engine.generator.parameters()).fill_(math.inf)

        before_step(trainer, poison)
        if on_nan == "rewind":
            trainer.train()
        else:
            with pytest.raises(TrainingError, match="became nan at step 8: training cannot go on"):
                trainer.train()
    inline, late = trainers
    assert list_scored(late) == ([6, 12, 18, 20] if on_nan == "rewind" else [6])
    assert_same_training(late, inline)


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (MetricError("what the score says"), MetricError, "what the score says"),
        (
            torch.OutOfMemoryError("CUDA out of memory"),
            TrainingError,
            "not enough memory for a score: it takes 64 images at a time; give --score-every 0",
        ),
    ],
)
def test_what_a_score_raises_ends_the_training(error, kind, sentence, build_trainer, monkeypatch):
    extractor = Extractor("failing", "FD", 48, FailingNetwork(error), CPU)
    spec = ExtractorSpec("failing", "FD", 48, lambda weights, device: extractor)
    monkeypatch.setitem(EXTRACTORS, "failing", spec)
    options = {**CADENCE, "score_samples": 80, "extractor": "failing"}
    trainer = build_trainer(runner=LateRunner(), **options)
    with pytest.raises(kind, match=sentence):
        trainer.train()
    assert trainer.folder.states.load()["step"] == 6
    assert not [one for one in threading.enumerate() if one.name.startswith("background")]


def test_an_error_of_the_training_gives_up_the_score_and_leaves_no_thread(
    build_trainer, tiny_extractor
):
    class PowerCutError(Exception):
        pass

    def fail(step):
        if step == 8:
            raise PowerCutError

    trainer, batches = build_trainer(runner=LateRunner(), **CADENCE, **SCORING), []
    measure = trainer._scorer._measure_share
    trainer._scorer._measure_share = lambda *given: batches.append(given) or measure(*given)
    before_step(trainer, fail)
    with pytest.raises(PowerCutError):
        trainer.train()
    assert batches == []  # not even a first one, for nobody would see it
    assert list_scored(trainer) == []
    assert trainer.folder.states.load()["step"] == 6
    assert not [one for one in threading.enumerate() if one.name.startswith("background")]
