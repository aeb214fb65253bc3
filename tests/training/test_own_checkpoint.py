"""Each run writes its own checkpoint only, wherever folders are moved to."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.training.conftest import SMALL
from training.__main__ import main
from training.cards import list_techniques
from training.checkpoint import load_generator, load_header, save_generator
from training.errors import CheckpointError
from training.history import read_history
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
    Path("elsewhere").mkdir()
    taken = Path("elsewhere/same.safetensors")
    taken.write_bytes(before)
    options = Path("runs/same/options.json").read_bytes()
    for steps in (4, 2):  # to a later goal, and where only an embedding is asked for
        assert resume("--checkpoints", "elsewhere", "--projector", "4", steps=steps) == 2
    assert Path("runs/same/options.json").read_bytes() == options  # a refused place is not kept
    taken.unlink()
    assert RunFolder(Path("runs/same")).states.load()["step"] == 2
    assert resume("--checkpoints", "elsewhere") == 0
    assert load_header(Path("elsewhere/same.safetensors")).training["steps"] == 4
    assert resume(steps=5) == 0  # it remembers where
    assert load_header(Path("elsewhere/same.safetensors")).training["steps"] == 5
    assert CHECKPOINT.read_bytes() == before


@pytest.mark.parametrize("score_every", [0, 2])
def test_of_two_trainings_of_one_name_at_once_one_writes(
    score_every, build_trainer, tiny_extractor
):
    """The second's checkpoint comes while the first is in the middle of its steps."""
    scores = {"score_every": score_every, "extractor": "tiny", "score_samples": 32}
    second = build_trainer("second", steps=2, run_id="two", **scores)
    second.train()
    first = build_trainer("first", steps=6, save_every=2, run_id="one", **scores)
    draw, place = first.batches.draw, first.checkpoint_path

    def draw_late():
        if first.progress.step == 3:
            shutil.copy(second.checkpoint_path, place)
        return draw()

    first.batches.draw = draw_late
    with pytest.raises(CheckpointError, match="is of another run, and is not overwritten"):
        first.train()
    assert place.read_bytes() == second.checkpoint_path.read_bytes()
    scored = [row["step"] for row in read_history(first.folder.metrics_path) if "score" in row]
    assert scored == ([2] if score_every else [])  # none is told that was not kept
    place.unlink()
    first = build_trainer("first", steps=6, save_every=2, run_id="one", **scores)
    first.resume()
    first.train()
    if not score_every:  # else the best one was lost with what was copied over it
        assert load_header(place).training["run_id"] == "one"


@pytest.mark.parametrize("damage", [lambda data: data[:500], lambda data: b""])
def test_a_damaged_checkpoint_is_told_from_that_of_another_run(train, damage, capsys):
    assert train() == 0
    CHECKPOINT.write_bytes(damage(CHECKPOINT.read_bytes()))
    assert resume() == 2
    assert re.search(
        r"same\.safetensors cannot be read \(.+\), and is not overwritten: move it away",
        capsys.readouterr().err,
    )
    CHECKPOINT.unlink()
    assert resume() == 0
    assert capsys.readouterr().err.count("warning: the best generator so far is not at") == 1
    assert load_header(CHECKPOINT).training["steps"] == 4


def make_old(folder: RunFolder, **config) -> None:
    """Rewrite a run as versions without run ids did: options, state and checkpoint."""
    values = json.loads(folder.options_path.read_text())
    del values["run_id"]
    values |= {"format_version": 1, "checkpoints": "checkpoints"}
    values["config"] |= config
    folder.options_path.write_text(json.dumps(values))
    state = folder.states.load()
    del state["num_processes"]
    state["config"] |= config
    folder.states.save(state["step"], state)
    generator, header = load_generator(CHECKPOINT)
    header.training.pop("run_id")
    header.training.update(config)
    save_generator(CHECKPOINT, generator, header)


def test_runs_of_earlier_versions_go_on_and_overwrite_no_others(train, capsys):
    assert train() == 0
    make_old(RunFolder(Path("runs/same")))
    assert resume() == 0
    assert load_header(CHECKPOINT).training["steps"] == 4
    CHECKPOINT.unlink()
    assert train("--runs", "others") == 0
    assert resume(steps=5) == 2
    assert "is of another run, and is not overwritten" in capsys.readouterr().err


def test_an_sgan_of_earlier_versions_goes_on_without_its_idle_norm(train):
    assert train("--model", "sgan") == 0
    make_old(RunFolder(Path("runs/same")), critic_norm="batch")
    assert list_techniques(load_header(CHECKPOINT)) == ""
    assert resume() == 0
    assert load_header(CHECKPOINT).training["critic_norm"] == "none"


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
