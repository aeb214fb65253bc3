"""Exact resumes: a training that was broken off and one that was not end with the same bits."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.comparisons import assert_same, read_rows
from tests.training.conftest import SMALL
from training.__main__ import main
from training.checkpoint import hash_weights
from training.datasets import ImageDataset, LabelColumn
from training.errors import CheckpointError
from training.history import read_history
from training.runs import RunFolder
from training.scoring import TrainingScorer

# Neither the breaks nor the saves fall on the rows of losses.
CADENCE = {"log_every": 7, "save_every": 12, "score_every": 18, "steps": 60}
OPTIONS = {"batch_size": 4, "is_mirrored": True, "instance_noise": 0.1, **CADENCE}
SCORING = {"extractor": "tiny", "score_samples": 32}


class KilledError(Exception):
    """Ends a training as a power cut does: nothing is saved any more."""


def record_draws(trainer, on_draw=lambda number: None):
    """Note a hash of every batch of real images that a trainer draws."""
    draw, hashes = trainer.batches.draw, []

    def draw_noted():
        on_draw(len(hashes) + 1)
        batch = draw()
        hashes.append(hashlib.sha256(batch.images.numpy().tobytes()).hexdigest())
        return batch

    trainer.batches.draw = draw_noted
    return hashes


def kill():
    raise KilledError


def stop():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("model", ["dcgan", "sgan", "wgan_gp"])
def test_a_broken_training_ends_as_one_without_a_break(model, build_trainer, tiny_extractor):
    turns = 2 if model == "wgan_gp" else 1
    options = {**OPTIONS, **SCORING, "critic_steps": turns}
    whole = build_trainer("whole", model, **options)
    expected_draws = record_draws(whole)
    whole.train()
    for name, end, saved_step in (("killed", kill, 36), ("stopped", stop, 41)):
        broken = build_trainer(name, model, **options)
        draws = record_draws(broken, lambda number, end=end: number == 41 * turns and end())
        with pytest.raises(KilledError) if end is kill else nullcontext():
            broken.train()
        assert broken.folder.states.load()["step"] == saved_step
        resumed = build_trainer(name, model, **options)
        resumed.resume()
        later_draws = record_draws(resumed)
        resumed.train()
        assert draws[: saved_step * turns] + later_draws == expected_draws
        assert_same_training(resumed, whole)
    scores = [row["step"] for row in read_rows(whole.folder) if "score" in row]
    assert scores == [18, 36, 54, 60]


def assert_same_training(found, expected):
    """Compare states, metrics, snapshots and checkpoints of two trainings bit for bit."""
    assert_same(found.folder.states.load(), expected.folder.states.load())
    assert read_rows(found.folder) == read_rows(expected.folder)
    snapshots = sorted(path.name for path in expected.folder.snapshots.iterdir())
    assert snapshots[-1] == "step-0000045.safetensors"
    for name in snapshots:
        weights = [hash_weights(one.folder.snapshots / name) for one in (found, expected)]
        assert weights[0] == weights[1], name
    assert hash_weights(found.checkpoint_path) == hash_weights(expected.checkpoint_path)


def test_a_later_goal_gives_what_that_goal_would_have_given_at_once(build_trainer):
    options = {"log_every": 7, "save_every": 100}
    whole = build_trainer("whole", steps=24, **options)
    whole.train()
    build_trainer("longer", steps=10, **options).train()
    rows = read_history(RunFolder(whole.folder.path.with_name("longer")).metrics_path)
    assert [row["step"] for row in rows] == [7, 10]
    longer = build_trainer("longer", steps=24, **options)
    longer.resume()
    longer.train()
    assert [row["step"] for row in read_rows(whole.folder)] == [7, 14, 16, 21, 23, 24]
    assert read_rows(longer.folder) == read_rows(whole.folder)
    assert_same(longer.folder.states.load(), whole.folder.states.load())


def test_a_score_that_was_stopped_is_made_by_the_resume(build_trainer, tiny_extractor, monkeypatch):
    options = {"steps": 6, "score_every": 2, "log_every": 3, **SCORING}
    whole = build_trainer("whole", **options)
    whole.train()
    broken = build_trainer("broken", **options)
    score = TrainingScorer.score

    def score_and_stop(self, generator, is_stopped, critic):
        if broken.progress.step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return score(self, generator, is_stopped, critic)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingScorer, "score", score_and_stop)
        broken.train()
    assert [row["step"] for row in read_rows(broken.folder) if "score" in row] == [2]
    resumed = build_trainer("broken", **options)
    resumed.resume()
    resumed.train()
    assert read_rows(resumed.folder) == read_rows(whole.folder)


def test_a_state_of_the_first_version_goes_on(build_trainer):
    options = {"log_every": 1, "save_every": 1}
    whole = build_trainer("whole", steps=6, **options)
    whole.train()
    build_trainer("old", steps=3, **options).train()
    resumed = build_trainer("old", steps=6, **options)
    store = resumed.folder.states
    state = store.load()
    for key in ("config", "window", "num_rewinds"):
        del state[key]
    for path in store.list_paths():
        path.unlink()
    torch.save(state, resumed.folder.path / "state.pt")
    resumed.resume()
    resumed.train()
    assert_same(store.load(), whole.folder.states.load())
    assert read_rows(resumed.folder) == read_rows(whole.folder)


def test_options_that_conflict_with_the_state_are_named(build_trainer):
    build_trainer(steps=2).train()
    for name, value, was in (
        ("batch_size", 4, "8"),
        ("seed", 1, "0"),
        ("log_every", 1, "2"),
        ("width", 8, "4"),
        ("beta1", 0.1, r"0\.5"),
    ):
        trainer = build_trainer(**{name: value})
        expected = rf"options\.json says {name} {value}, but .* trained with {was}: put that back"
        with pytest.raises(CheckpointError, match=expected):
            trainer.resume()
    build_trainer(steps=4, on_nan="rewind", device="cpu").resume()  # these may change


def test_another_precision_than_before_is_announced(build_trainer, capsys):
    trainer = build_trainer(steps=2)
    trainer.train()
    build_trainer(steps=4).resume()
    assert "warning" not in capsys.readouterr().err
    store = trainer.folder.states
    other = {"bf16": "fp32", "fp32": "bf16"}[trainer.precision]
    store.save(2, {**store.load(), "precision": other})
    build_trainer(steps=4).resume()
    warning = capsys.readouterr().err
    assert f"was trained in {other} so far, and goes on in {trainer.precision}" in warning


def test_another_number_of_processes_than_before_is_announced(build_trainer, capsys):
    trainer = build_trainer(steps=2)
    trainer.train()
    store = trainer.folder.states
    assert store.load()["num_processes"] == 1
    store.save(2, {**store.load(), "num_processes": 2})
    build_trainer(steps=4).resume()
    warning = capsys.readouterr().err
    assert "was trained by 2 processes so far, and goes on in one process" in warning


def test_what_was_not_saved_is_dropped(tmp_path):
    folder = RunFolder(tmp_path)
    for place, suffix in ((folder.samples, ".png"), (folder.snapshots, ".safetensors")):
        place.mkdir()
        for step in (0, 16, 23, 12_345_678):
            (place / f"step-{step:07d}{suffix}").touch()
        (place / f"step-0000099{suffix}.txt").touch()  # somebody's own
    assert list(folder.list_snapshots()) == [0, 16, 23, 12_345_678]
    folder.truncate(16)
    assert list(folder.list_grids()) == list(folder.list_snapshots()) == [0, 16]
    assert len(list(folder.snapshots.iterdir())) == 3


def test_scores_may_begin_at_a_resume_and_change_nothing_that_is_learned(
    build_trainer, tiny_extractor
):
    build_trainer("whole", steps=4, **SCORING).train()
    build_trainer("late", steps=2, **SCORING).train()
    late = build_trainer("late", steps=4, score_every=2, **SCORING)
    late.resume()
    late.train()
    # The step of the resume is due, too.
    assert [row["step"] for row in read_rows(late.folder) if "score" in row] == [2, 4]
    expected = build_trainer("whole", steps=4, **SCORING).folder.states.load()
    assert_same(late.folder.states.load()["engine"], expected["engine"])


def test_how_often_things_are_kept_may_change_and_changes_nothing_that_is_learned(
    build_trainer, tiny_extractor
):
    options = {"log_every": 5, "is_mirrored": True, "extractor": "tiny"}
    whole = build_trainer("whole", steps=11, **options)
    whole.train()
    assert [row["step"] for row in read_rows(whole.folder)] == [5, 10, 11]
    build_trainer("changed", steps=6, **options).train()
    often = {"save_every": 4, "grid_every": 2, "histograms_every": 3, "projector": 5}
    changed = build_trainer("changed", steps=11, **options, **often)
    changed.resume()
    changed.train()
    # Saves and histograms have rows of losses from there on.
    rows = {row["step"]: row for row in read_rows(changed.folder)}
    assert list(rows) == [5, 8, 9, 10, 11]
    states = [one.folder.states for one in (changed, whole)]
    assert [states[0].get_path(step) for step in (11, 8)] == states[0].list_paths()
    assert_same(*(store.load() for store in states))
    assert list(changed.folder.list_grids()) == [8, 10]
    assert (changed.folder.tensorboard / "projector_config.pbtxt").exists()
    before = {row["step"]: row["loss_g"] for row in read_rows(whole.folder)}
    # The mean of steps 6 to 10, in one row or in three.
    parts = 3 * rows[8]["loss_g"] + rows[9]["loss_g"] + rows[10]["loss_g"]
    assert parts / 5 == pytest.approx(before[10], rel=1e-5)


def test_a_state_without_options_that_does_not_fit_the_networks_is_one_sentence(build_trainer):
    build_trainer(steps=2).train()
    trainer = build_trainer(width=8)
    state = trainer.folder.states.load()
    del state["config"]
    trainer.folder.states.save(2, state)
    with pytest.raises(CheckpointError, match=r"does not fit the networks that options\.json"):
        trainer.resume()


def test_a_damaged_line_in_the_metrics_does_not_stop_a_resume(
    build_trainer, tiny_extractor, capsys
):
    options = {"log_every": 1, "score_every": 2, **SCORING}
    whole = build_trainer("whole", steps=6, **options)
    whole.train()
    broken = build_trainer("broken", steps=4, **options)
    broken.train()
    path = broken.folder.metrics_path
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:20] + b"\xff\n"  # the losses of step 2
    path.write_bytes(b"".join(lines))
    resumed = build_trainer("broken", steps=6, **options)
    resumed.resume()
    resumed.train()
    assert "metrics.jsonl: line 2 cannot be read and will be dropped" in capsys.readouterr().err
    assert path.with_name("metrics.jsonl.damaged").read_bytes() == b"".join(lines)
    expected = read_rows(whole.folder)
    assert read_rows(resumed.folder) == expected[:1] + expected[2:]


KILLED_RUN = [*SMALL, "--steps", "60", "--save-every", "12", "--log-every", "7", "--seed", "3"]


def test_kill_minus_9_costs_nothing_but_time(workplace, pictures, repository):
    """A process that is killed after the save of step 36, and then goes on, ends bit-identical."""
    # The same bits need as many threads in both processes.
    environment = {
        **os.environ,
        "PYTHONPATH": str(repository),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    train = ["train", "--model", "dcgan", "--data", f"folder:{pictures}", *KILLED_RUN]
    assert main([*train, "--name", "whole"]) == 0
    command = [sys.executable, "-m", "tests.training.killed_run", "45", *train, "--name", "killed"]
    done = subprocess.run(command, env=environment, check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
    whole, killed = RunFolder(Path("runs/whole")), RunFolder(Path("runs/killed"))
    assert killed.states.load()["step"] == 36
    assert len(killed.states.list_paths()) >= 2
    assert main(["train", "--resume", "runs/killed"]) == 0
    assert_same(killed.states.load(), whole.states.load())
    assert read_rows(killed) == read_rows(whole)
    found, expected = (
        hash_weights(Path(f"checkpoints/{n}.safetensors")) for n in ("killed", "whole")
    )
    assert found == expected
    assert list(killed.path.glob(".*")) == []  # nothing half-written is left


def test_the_goal_a_resume_was_given_outlives_a_kill(workplace, pictures, capsys):
    train = ["train", "--model", "dcgan", "--data", f"folder:{pictures}", *SMALL, "--name", "a"]
    assert main([*train, "--steps", "2"]) == 0
    before = Path("runs/a/options.json").read_bytes()
    assert main(["train", "--resume", "runs/a", "--steps", "9", "--dry-run"]) == 0
    assert Path("runs/a/options.json").read_bytes() == before  # a plan changes nothing
    shutil.copytree("runs/a", "saved")
    assert main(["train", "--resume", "runs/a", "--steps", "4"]) == 0
    for path in Path("runs/a").glob("state-*"):
        path.unlink()
    for path in Path("saved").glob("state-*"):  # as if it had been killed before step 4 was saved
        shutil.copy(path, "runs/a")
    assert main(["train", "--resume", "runs/a"]) == 0
    assert "Done: 4 steps" in capsys.readouterr().out


def test_other_labels_are_refused_by_name(tmp_path):
    images = np.zeros((2, 1, 8, 8), np.uint8)
    columns = (LabelColumn("side", ("left", "right")), LabelColumn("size", ("1", "2")))

    def make_dataset(labels, columns=columns):
        return ImageDataset("photos", "Photos", "any", images, "f", np.array(labels), columns)

    dataset, folder = make_dataset([[0, 1], [1, 0]]), RunFolder(tmp_path)
    saved = {"dataset_fingerprint": "f", "label_fingerprints": dataset.fingerprint_labels()}
    folder.check_dataset(dataset, ["side", "size"], saved)
    swapped = make_dataset([[1, 1], [0, 0]])
    folder.check_dataset(swapped, ["size"], saved)
    with pytest.raises(CheckpointError, match="trained with other labels: the images' side has"):
        folder.check_dataset(swapped, ["side", "size"], saved)
    named = (LabelColumn("side", ("port", "starboard")), columns[1])
    folder.check_dataset(make_dataset([[0, 1], [1, 0]], named), ["side"], saved)
    folder.check_dataset(swapped, ["side"], {"dataset_fingerprint": "f"})  # an earlier version's
