"""Scores taken beside a training: what is written is as if each had been taken at once."""

import concurrent.futures
import errno
import gc
import os
import random
import signal
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.training.comparisons import assert_same, read_rows
from tests.training.late_runs import (
    KILL_STEP,
    SCORE_STEP,
    LateRunner,
    before_step,
    build_late_trainer,
)
from tests.training.shared_runs import make_dataset
from tests.training.test_step_graph import TracingRecorder
from training import step_graph
from training.background import BackgroundRunner
from training.checkpoint import hash_weights, load_header, save_generator
from training.errors import ProjectError
from training.history import is_loss_row, read_history, select_scores, truncate_history
from training.step_graph import NUM_STEPS_BEFORE

CPU = torch.device("cpu")
# The scores of the steps 6, 12 and 18 come after losses of later steps, and around a snapshot (16).
CADENCE = {"steps": 20, "log_every": 1, "score_every": 6, "save_every": 10}
SCORING = {"extractor": "tiny", "score_samples": 80}


class PollRunner(BackgroundRunner):
    """Remember the results to come, and the copies that were made."""

    def __init__(self):
        super().__init__(CPU)
        self.results, self.copies = [], []

    def freeze(self, network):
        copy = super().freeze(network)
        self.copies.append(weakref.ref(copy))
        return copy

    def start(self, work):
        self.results.append(super().start(work))
        return self.results[-1]


def sort_rows(folder):
    """Read the rows of metrics as an inline run has them: by step, the score after the losses."""
    return sorted(read_rows(folder), key=lambda row: (row["step"], not is_losses(row)))


def is_losses(row):
    return "score" not in row and "event" not in row


def list_scored(trainer):
    return [row["step"] for row in select_scores(read_history(trainer.folder.metrics_path))]


def assert_same_training(found, expected):
    """Compare states, rows, snapshots and checkpoints, bit for bit."""
    assert_same(found.folder.states.load(), expected.folder.states.load())
    assert sort_rows(found.folder) == sort_rows(expected.folder)
    assert hash_weights(found.checkpoint_path) == hash_weights(expected.checkpoint_path)
    headers = [load_header(trainer.checkpoint_path) for trainer in (found, expected)]
    for key in ("step", "steps", "images_seen"):
        assert headers[0].training[key] == headers[1].training[key]
    for name in expected.folder.list_snapshots().values():
        paths = [trainer.folder.snapshots / name.name for trainer in (found, expected)]
        assert hash_weights(paths[0]) == hash_weights(paths[1])
        scores = [[row["step"] for row in load_header(path).history] for path in paths]
        assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("dcgan", {"critic_norm": "spectral"}),
        ("label_gan", {"critic_steps": 1, "critic_norm": "spectral", "predictor_data": "both"}),
    ],
)
def test_late_scores_are_those_of_their_steps(
    model, options, build_trainer, tiny_extractor, monkeypatch
):
    monkeypatch.setattr("training.scoring.NUM_IMAGES_READ", 500)
    options = {**CADENCE, **SCORING, **options, "model": model, "data": make_dataset()}
    inline = build_trainer("inline", **options)
    late = build_trainer("late", **options, runner=LateRunner())
    inline.train()
    late.train()
    assert_same_training(late, inline)
    assert list_scored(late) == [6, 12, 18, 20]
    rows = read_history(late.folder.metrics_path)
    for row in select_scores(rows):
        (losses,) = [one for one in rows if is_loss_row(one) and one["step"] == row["step"]]
        for key in ("seconds", "images_seen", "loss_d", "loss_g"):
            assert row[key] == losses[key]
    # They did come late: that of step 6 after the losses of step 9, before the save of step 10.
    places = [(row["step"], is_losses(row)) for row in rows]
    assert places.index((6, False)) == places.index((9, True)) + 1
    header = load_header(late.checkpoint_path)
    best = min(select_scores(rows), key=lambda row: row["score"])
    for key in ("step", "images_seen", "seconds"):
        assert header.training[key] == best[key]
    assert header.history == select_scores(rows)


def test_the_kept_checkpoint_is_of_the_weights_that_were_scored(build_trainer, tiny_extractor):
    """The averaged generator moves fast here: a step later it is another one."""
    options = {"steps": 9, "log_every": 1, "score_every": 6, "ema_decay": 0.5, **SCORING}
    trainer = build_trainer(runner=LateRunner(), **options)
    scored = {}
    step_before = {}

    def note(step):
        weights = trainer.engine.generator_ema.state_dict()
        step_before[step - 1] = {key: value.clone() for key, value in weights.items()}

    before_step(trainer, note)
    save_if_best = trainer._keeper.save_if_best

    def note_saved(progress, generator, score):
        scored[progress.step] = (generator.state_dict(), trainer.progress.step)
        save_if_best(progress, generator, score)

    trainer._keeper.save_if_best = note_saved
    trainer.train()
    found, collected_at = scored[6]
    assert collected_at == 9
    assert all(torch.equal(found[key], value) for key, value in step_before[6].items())
    assert not all(torch.equal(found[key], value) for key, value in step_before[7].items())


def test_tensorboard_shows_late_scores_and_all_losses(build_trainer, tiny_extractor):
    trainer = build_trainer(runner=LateRunner(), **CADENCE, **SCORING)
    trainer.train()
    events = EventAccumulator(str(trainer.folder.tensorboard)).Reload()
    assert [event.step for event in events.Scalars("score/value")] == [6, 12, 18, 20]
    assert [event.step for event in events.Scalars("loss/generator")] == list(range(1, 21))


def test_a_score_is_written_after_the_step_that_finds_it_done(build_trainer, tiny_extractor):
    runner = PollRunner()
    options = {"steps": 12, "log_every": 1, "score_every": 6, **SCORING}
    trainer = build_trainer(runner=runner, **options)
    scored = {}

    def look(step):
        scored[step] = list_scored(trainer)
        if step == 8:
            concurrent.futures.wait(runner.results, timeout=300)

    before_step(trainer, look)
    trainer.train()
    assert scored[6] == []
    assert scored[9] == [6]
    assert list_scored(trainer) == [6, 12]


@pytest.mark.usefixtures("short_collections")
def test_no_copy_outlives_its_score(build_trainer, tiny_extractor):
    runner = PollRunner()
    options = {"steps": 12, "score_every": 3, **SCORING}
    trainer = build_trainer(runner=runner, **options)
    num_alive = []

    def count(_):
        gc.collect()
        num_alive.append(sum(copy() is not None for copy in runner.copies))

    before_step(trainer, count)
    trainer.train()
    assert len(runner.copies) == 4  # of generators alone: there are no labels to ask for
    assert max(num_alive) <= 1
    count(None)
    assert num_alive[-1] == 0


def test_only_the_state_of_its_own_step_is_saved_before_a_score_is_written(
    build_trainer, tiny_extractor
):
    options = {"steps": 9, "score_every": 4, "save_every": 1, **SCORING}
    trainer = build_trainer(runner=LateRunner(), **options)
    scored = {}
    save_state = trainer._keeper.save_state

    def note(state):
        scored.setdefault(state.progress.step, list_scored(trainer))
        save_state(state)

    trainer._keeper.save_state = note
    trainer.train()
    assert scored == {
        **{0: [], 1: [], 2: [], 3: [], 4: [], 5: [4], 6: [4], 7: [4], 8: [4], 9: [4, 8]}
    }


def test_no_step_is_recorded_while_a_score_is_taken(build_trainer, tiny_extractor, monkeypatch):
    pending = []

    class Recorder(TracingRecorder):
        def record(self, compute):
            pending.append(trainer._scores._pending)
            return super().record(compute)

    monkeypatch.setitem(step_graph.RECORDERS, "cpu", Recorder)
    options = {"steps": 6, "score_every": NUM_STEPS_BEFORE, **SCORING}
    trainer = build_trainer(runner=LateRunner(), cuda_graph=True, **options)
    trainer.train()
    assert pending == [None]  # recorded once; the score before was due, and waited for
    assert list_scored(trainer) == [3, 6]


def test_a_score_lost_by_kill_minus_9_is_made_by_the_resume(tmp_path, repository):
    # The same bits need as many threads in both processes.
    environment = {
        **os.environ,
        "PYTHONPATH": str(repository),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    command = [sys.executable, "-m", "tests.training.late_runs", str(tmp_path / "killed")]
    done = subprocess.run(command, env=environment, check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
    resumed = build_late_trainer(tmp_path / "killed", LateRunner())
    assert resumed.folder.states.load()["step"] == SCORE_STEP
    rows = read_history(resumed.folder.metrics_path)
    assert [row["step"] for row in rows] == list(range(1, KILL_STEP))
    assert list_scored(resumed) == []
    resumed.resume()
    resumed.train()
    whole = build_late_trainer(tmp_path / "whole")
    whole.train()
    assert list_scored(resumed) == [4, 8, 10]
    assert_same_training(resumed, whole)


def test_a_score_whose_generator_could_not_be_kept_is_taken_again(
    build_trainer, tiny_extractor, monkeypatch
):
    """The state of its step is there already: nothing but a row says that the score was taken."""
    options = {"steps": 8, "score_every": 2, "save_every": 2, "data": make_dataset(), **SCORING}
    whole = build_trainer("whole", runner=LateRunner(), **options)
    whole.train()
    best = load_header(whole.checkpoint_path).training["step"]

    def fail_for_best(path, generator, header, dtype):
        if header.training["step"] == best and path == broken.checkpoint_path:
            raise OSError(errno.ENOSPC, "No space left on device")
        save_generator(path, generator, header, dtype)

    broken = build_trainer("broken", runner=LateRunner(), **options)
    with monkeypatch.context() as patch:
        patch.setattr("training.keeping.save_generator", fail_for_best)
        with pytest.raises(ProjectError, match="No space left"):
            broken.train()
    resumed = build_trainer("broken", runner=LateRunner(), **options)
    resumed.resume()
    resumed.train()
    assert_same_training(resumed, whole)


def test_a_last_generator_that_could_not_be_kept_is_kept_by_a_resume(build_trainer, monkeypatch):
    """Without scores the checkpoint is written after the state, which says that all is done."""

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    options = {"steps": 4, "save_every": 2}
    broken = build_trainer(**options)
    before_step(broken, lambda step: monkeypatch.setattr("training.keeping.save_generator", fail)
                if step == 4 else None)  # fmt: skip
    with pytest.raises(ProjectError, match="No space left"):
        broken.train()
    monkeypatch.undo()
    assert broken.folder.states.load()["step"] == 4
    assert load_header(broken.checkpoint_path).training["step"] == 2
    resumed = build_trainer(**options)
    resumed.resume()
    assert not resumed.is_done
    resumed.train()
    assert resumed.is_done
    assert load_header(resumed.checkpoint_path).training["step"] == 4


@pytest.mark.parametrize("model", ["dcgan", "label_gan"])
def test_a_score_draws_from_no_global_random_numbers(
    model, build_trainer, tiny_extractor, monkeypatch
):
    monkeypatch.setattr("training.scoring.NUM_IMAGES_READ", 500)
    trainer = build_trainer(model=model, data=make_dataset(), score_every=1, **SCORING)
    trainer._scorer.load()

    def read_streams():
        engine = trainer.engine
        own = (engine.rng.get_state(), engine.updates.noise_rng.get_state())
        numpy_state = np.random.get_state()
        return (
            [state.tolist() for state in (torch.get_rng_state(), *own)],
            (numpy_state[1].tolist(), *numpy_state[2:]),
            random.getstate(),
        )

    before = read_streams()
    engine = trainer.engine
    score = trainer._scorer.score(engine.generator_ema, lambda: False, engine.discriminator)
    assert score is not None
    assert read_streams() == before


def test_a_resume_goes_by_the_steps_of_late_rows(tmp_path):
    path = tmp_path / "metrics.jsonl"
    late = '{"step": 4, "images_per_second": 1.0}\n{"step": 5, "images_per_second": 1.0}\n'
    path.write_text(f'{late}{{"step": 4, "score": 2.0}}\n{{"step": 6, "images_per_second": 1.0}}\n')
    truncate_history(path, 4)
    assert [("score" in row, row["step"]) for row in read_history(path)] == [(False, 4), (True, 4)]
