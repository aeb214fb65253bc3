"""Each run writes its own checkpoint only, wherever folders are moved to."""

import shutil
from pathlib import Path

import pytest

from tests.training.test_resume import SMALL
from training.__main__ import main
from training.checkpoint import load_header
from training.errors import CheckpointError
from training.runs import RunFolder

CHECKPOINT = Path("checkpoints/same.safetensors")


@pytest.fixture
def train(workplace, pictures):
    """Return a function that begins a run of two steps of the name "same"."""

    def begin(*flags):
        data = ["--model", "dcgan", "--data", f"folder:{pictures}", "--name", "same"]
        return main(["train", *data, *SMALL, "--steps", "2", *flags])

    return begin


def resume(*flags, run="runs/same", steps=4):
    return main(["train", "--resume", run, "--steps", str(steps), *flags])


def test_a_resume_does_not_overwrite_the_checkpoint_of_another_run(train, capsys):
    assert train() == 0
    CHECKPOINT.rename("first.safetensors")
    assert train("--runs", "others") == 0
    before = CHECKPOINT.read_bytes()
    capsys.readouterr()
    assert resume() == 2
    error = capsys.readouterr().err
    assert "same.safetensors is of another run, and is not overwritten: move it away" in error
    assert CHECKPOINT.read_bytes() == before
    assert RunFolder(Path("runs/same")).states.load()["step"] == 2
    assert resume("--checkpoints", "elsewhere") == 0
    assert load_header(Path("elsewhere/same.safetensors")).training["steps"] == 4
    assert resume(steps=5) == 0  # it remembers where
    assert load_header(Path("elsewhere/same.safetensors")).training["steps"] == 5
    assert CHECKPOINT.read_bytes() == before


def test_of_two_trainings_of_one_name_the_second_overwrites_nothing(build_trainer):
    trainers = [build_trainer(steps=2, run_id=name) for name in ("one", "two")]
    trainers[0].train()
    before = trainers[0].checkpoint_path.read_bytes()
    with pytest.raises(CheckpointError, match="is of another run, and is not overwritten"):
        trainers[1].train()
    assert trainers[0].checkpoint_path.read_bytes() == before


def test_the_checkpoint_is_found_from_another_folder(train, monkeypatch, workplace):
    assert train() == 0
    (workplace / "below").mkdir()
    monkeypatch.chdir(workplace / "below")
    assert resume(run="../runs/same") == 0
    assert list(Path().iterdir()) == []
    assert load_header(workplace / CHECKPOINT).training["steps"] == 4


def test_runs_and_checkpoints_may_move_together(train, workplace):
    assert train() == 0
    Path("moved").mkdir()
    for name in ("runs", "checkpoints"):
        shutil.move(name, "moved")
    assert resume(run="moved/runs/same") == 0
    assert not Path("checkpoints").exists()
    assert load_header("moved" / CHECKPOINT).training["steps"] == 4


def test_a_best_checkpoint_that_is_gone_is_announced(build_trainer, tiny_extractor, capsys):
    scored = {"score_every": 1, "extractor": "tiny", "score_samples": 32}
    trainer = build_trainer(steps=2, **scored)
    trainer.train()
    trainer.checkpoint_path.unlink()
    later = build_trainer(steps=3, **scored)
    later.resume()
    capsys.readouterr()
    later.train()
    assert "the best generator so far is not at" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--runs", "--checkpoints"])
def test_a_file_in_the_place_of_a_folder_is_one_sentence(train, flag, capsys):
    Path("taken").write_text("mine")
    assert train(flag, "taken") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert Path("taken").read_text() == "mine"
