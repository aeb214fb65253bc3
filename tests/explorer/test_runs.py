"""A folder of runs: what is listed, how far each is, what is kept out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explorer.run_files import LOCK_NAME, SILENT_SECONDS, is_running
from explorer.run_goal import Goal, find_goal
from explorer.runs import RunLibrary
from training.config import TrainConfig
from training.datasets import DatasetOptions
from training.errors import ProjectError
from training.files import write_text
from training.history import HistoryWriter
from training.runs import RunFolder, RunOptions

WriteRun = Callable[..., RunFolder]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def library(tmp_path: Path) -> RunLibrary:
    return RunLibrary(tmp_path / "runs")


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Return a function that writes a run of ten rows with the trainer's own writers."""

    def write(name: str = "one", num_rows: int = 10, **options: Any) -> RunFolder:
        folder = RunFolder(tmp_path / "runs" / name)
        config = TrainConfig("dcgan", "avatars", "run", **options).resolve()
        images = DatasetOptions(resolution=32)
        folder.save_options(RunOptions(config, images, tmp_path, "the command"))
        writer = HistoryWriter(folder.metrics_path)
        for row in range(1, num_rows + 1):
            writer.write({"step": 20 * row, "images_seen": 640 * row, "seconds": 3.0 * row,
                          "loss_g": 1.0})  # fmt: skip
        writer.close()
        return folder

    return write


def write_grid(folder: RunFolder, step: int) -> bytes:
    folder.samples.mkdir(exist_ok=True)
    data = PNG + str(step).encode()
    folder.get_grid_path(step).write_bytes(data)
    return data


def make_old(folder: RunFolder) -> None:
    past = time.time() - SILENT_SECONDS - 60
    for path in (folder.options_path, folder.metrics_path):
        os.utime(path, (past, past))


def test_a_folder_that_is_not_there_holds_no_runs_until_it_appears(
    library: RunLibrary, write_run: WriteRun
) -> None:
    assert library.list_runs() == []
    write_run("one")
    assert [run.name for run in library.list_runs()] == ["one"]


def test_a_run_says_what_it_is_and_how_far(library: RunLibrary, write_run: WriteRun) -> None:
    write_run(steps=800)
    (run,) = library.list_runs()
    assert (run.model, run.data, run.resolution, run.problem) == ("dcgan", "avatars", 32, None)
    assert (run.step, run.images_seen, run.seconds) == (200, 6400, 30.0)
    assert (run.goal, run.share, run.is_running) == (Goal("step", 800), 0.25, True)
    # 27 s for the 180 steps from the first row to the last: 0.15 s for each of the other 600.
    assert run.seconds_left == pytest.approx(90)
    assert run.score is None


@pytest.mark.parametrize(
    ("options", "share", "left"),
    [
        ({"kimg": 12.8}, 0.5, 30.0),
        ({"minutes": 2.0}, 0.25, 90.0),
        ({"steps": 200}, 1.0, None),
    ],
)
def test_share_and_time_left_follow_the_goals_unit(
    library: RunLibrary, write_run: WriteRun, options: dict[str, Any], share: float,
    left: float | None,
) -> None:  # fmt: skip
    write_run(**options)
    (run,) = library.list_runs()
    assert run.share == pytest.approx(share)
    assert run.seconds_left == (left if left is None else pytest.approx(left))


def test_no_goal_is_no_share_and_one_row_no_time(library: RunLibrary, write_run: WriteRun) -> None:
    folder = write_run(num_rows=1)
    assert library.list_runs()[0].seconds_left is None
    values = json.loads(folder.options_path.read_text())
    values["config"] = {"model": "dcgan", "steps": "many"}
    write_text(folder.options_path, json.dumps(values))
    (run,) = library.list_runs()
    assert (run.goal, run.share, run.problem) == (None, None, None)
    assert find_goal({"steps": 0, "kimg": None}) is None


def test_scores_are_read_with_interval_and_floor(library: RunLibrary, write_run: WriteRun) -> None:
    folder = write_run()
    writer = HistoryWriter(folder.metrics_path)
    writer.write({"step": 200, "score": 9.5, "score_name": "FD-Tiny", "interval": [9.0, 10.0],
                  "noise_floor": 2.0, "num_samples": 64})  # fmt: skip
    writer.close()
    runs, history = library.look("one")
    assert (runs[0].score, runs[0].score_name) == (9.5, "FD-Tiny")
    assert history is not None
    assert (len(history.losses), len(history.scores)) == (10, 1)
    assert history.scores.get_last("high") == 10.0


def test_a_known_version_is_not_read_again_until_something_changes(
    library: RunLibrary, write_run: WriteRun
) -> None:
    folder = write_run()
    versions = []
    for change in (lambda: None, lambda: write_grid(folder, 0), lambda: write_run()):
        change()
        history = library.look("one", versions[-1] if versions else "")[1]
        assert history is not None
        versions.append(history.version)
        assert library.look("one", history.version)[1] is None
    assert len(set(versions)) == 3
    assert library.look("nobody")[1] is None


def test_running_runs_come_first_then_the_latest(library: RunLibrary, write_run: WriteRun) -> None:
    make_old(write_run("old"))
    make_old(write_run("running"))
    make_old(write_run("newer"))
    write_run("running")
    now = time.time() - SILENT_SECONDS - 5
    os.utime(library.folder / "newer" / "metrics.jsonl", (now, now))
    assert [run.name for run in library.list_runs()] == ["running", "newer", "old"]


def test_without_a_lock_a_run_goes_on_while_it_writes(write_run: WriteRun) -> None:
    folder = write_run()
    assert is_running(folder.path)
    assert not is_running(folder.path, is_at_goal=True)
    make_old(folder)
    assert not is_running(folder.path)
    assert not (folder.path / LOCK_NAME).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no flock on Windows")
def test_a_lock_decides_whatever_the_age_of_the_files(write_run: WriteRun) -> None:
    folder = write_run()
    script = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX);"
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(folder.path / LOCK_NAME)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        make_old(folder)
        assert is_running(folder.path, is_at_goal=True)
        assert is_running(folder.path, is_at_goal=True)  # looking has not taken it away
        process.communicate(b"")
    write_run()
    assert not is_running(folder.path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(None, "options.json is missing"), ("{", "options.json is damaged"), ("[]", "no JSON object")],
)
def test_a_run_without_readable_options_says_so_and_shows_its_rows(
    library: RunLibrary, write_run: WriteRun, text: str | None, sentence: str
) -> None:
    folder = write_run()
    folder.options_path.unlink()
    if text is not None:
        folder.options_path.write_text(text)
    (run,) = library.list_runs()
    assert sentence in (run.problem or "")
    assert (run.step, run.model, run.goal) == (200, "", None)


def test_strange_types_in_options_are_not_known(library: RunLibrary, write_run: WriteRun) -> None:
    folder = write_run()
    write_text(folder.options_path, json.dumps({"config": [1], "dataset": "none"}))
    (run,) = library.list_runs()
    assert (run.model, run.resolution, run.goal) == ("", None, None)


def test_grids_are_listed_by_step_and_read_whole(library: RunLibrary, write_run: WriteRun) -> None:
    folder = write_run()
    first, last = write_grid(folder, 0), write_grid(folder, 12_345_678)
    (folder.samples / ".step-0000005.png.1a2b.tmp").write_bytes(PNG)
    (folder.samples / "step-12.png").write_bytes(PNG)
    history = library.look("one")[1]
    assert history is not None
    assert list(history.grids) == [0, 12_345_678]
    assert library.read_grid("one", 0) == first
    assert library.read_grid("one", 12_345_678) == last
    with pytest.raises(ProjectError, match="no samples of step 5"):
        library.read_grid("one", 5)


@pytest.mark.parametrize("name", ["../secret", "..", ".", "", "one/../../secret", "/etc", "nobody"])
def test_only_names_that_are_listed_can_be_read(
    library: RunLibrary, write_run: WriteRun, tmp_path: Path, name: str
) -> None:
    write_run()
    secret = RunFolder(tmp_path / "secret")
    secret.path.mkdir()
    secret.metrics_path.write_text('{"step": 1}\n')
    write_grid(secret, 0)
    assert library.look(name)[1] is None
    with pytest.raises(ProjectError, match="There is no run"):
        library.read_grid(name, 0)


def test_links_lead_nowhere(library: RunLibrary, write_run: WriteRun, tmp_path: Path) -> None:
    outside = write_run("../outside", steps=1234)
    write_grid(outside, 0)
    folder = write_run("one", num_rows=1)
    folder.options_path.unlink()
    folder.options_path.symlink_to(outside.options_path)
    folder.samples.mkdir()
    folder.get_grid_path(0).symlink_to(outside.get_grid_path(0))
    linked = RunFolder(library.folder / "two")
    linked.path.mkdir()
    write_text(linked.options_path, "{}")
    linked.metrics_path.symlink_to(outside.metrics_path)
    linked.samples.symlink_to(outside.samples)
    (library.folder / "three").symlink_to(outside.path)
    (library.folder / "circle").symlink_to(library.folder / "circle")
    runs = {run.name: run for run in library.list_runs()}
    assert set(runs) == {"one", "two"}
    assert runs["one"].goal is None
    assert "options.json is missing" in (runs["one"].problem or "")
    assert runs["two"].step == 0
    for name in runs:
        with pytest.raises(ProjectError, match="no samples"):
            library.read_grid(name, 0)


def test_other_folders_and_hidden_ones_are_no_runs(
    library: RunLibrary, write_run: WriteRun
) -> None:
    write_run(".hidden")
    (library.folder / "empty").mkdir()
    (library.folder / "file.txt").write_text("no run")
    assert library.list_runs() == []


def test_a_run_that_is_removed_and_made_again_starts_anew(
    library: RunLibrary, write_run: WriteRun
) -> None:
    folder = write_run(num_rows=30)
    assert library.list_runs()[0].step == 600
    folder.metrics_path.unlink()
    assert library.list_runs()[0].step == 0
    write_run(num_rows=2)
    assert library.list_runs()[0].step == 40
