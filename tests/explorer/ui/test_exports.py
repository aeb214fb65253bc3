"""Files to download: who writes them, what a stopped export leaves, which are removed."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from explorer.library import CheckpointLibrary
from explorer.runs import RunLibrary
from explorer.sampler import Sampler
from explorer.ui.context import AppContext
from explorer.ui.exports import ExportFolder
from explorer.ui.morph import ExportStep, build_recipe, export_morph, set_export
from tests.explorer.ui.live_app import save_small_checkpoint
from training.errors import ProjectError


@pytest.fixture
def context(tmp_path: Path) -> AppContext:
    """Build what a page over one small model computes with."""
    (tmp_path / "models").mkdir()
    save_small_checkpoint(tmp_path / "models", "one", "dcgan", 16)
    library = CheckpointLibrary(tmp_path / "models")
    return AppContext(library, Sampler(library), tmp_path / "exports", RunLibrary(tmp_path))


def start_export(
    context: AppContext, num_frames: int = 40, pace: str = "even"
) -> Iterator[ExportStep]:
    recipe = build_recipe(context, "one", (1, 2), "slerp", 1.0)
    recipe = set_export(recipe, num_frames, 25, 64, "lanczos", False, 0.3, pace)
    return export_morph(context, recipe)


def list_files(context: AppContext) -> list[Path]:
    return sorted(context.exports.rglob("*")) if context.exports.exists() else []


def age(folder: Path, hours: float) -> None:
    """Make a folder and its files look so old."""
    past = time.time() - 3600 * hours
    for path in (*folder.iterdir(), folder):
        os.utime(path, (past, past))


def test_an_export_is_written_piece_by_piece(context: AppContext) -> None:
    steps = list(start_export(context))
    assert steps[0] == ExportStep(0, 40)
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert max(after - before for before, after in pairwise(done)) <= 4
    path = steps[-1].path
    assert path is not None
    assert [step.path for step in steps[:-1]] == [None] * (len(steps) - 1)
    with Image.open(path) as image:
        assert getattr(image, "n_frames", 1) == 40


@pytest.mark.parametrize("num_steps", [1, 2, 9])
def test_a_stopped_export_leaves_nothing_and_lets_the_next_one_start(
    context: AppContext, num_steps: int
) -> None:
    export = start_export(context)
    for _ in range(num_steps):
        next(export)
    assert bool(list_files(context)) == (num_steps > 1)
    export.close()  # type: ignore[attr-defined]
    assert list_files(context) == []
    assert next(start_export(context)) == ExportStep(0, 40)


def test_a_failed_export_leaves_nothing(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_disk(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    export = start_export(context)
    next(export)
    monkeypatch.setattr("explorer.formats.gif_frames.save_frames", fill_disk)
    with pytest.raises(ProjectError, match="No space left on the disk while writing"):
        list(export)
    assert list_files(context) == []
    assert context.exporting._line == []


def test_a_steady_export_tells_what_it_compares_and_can_be_stopped(context: AppContext) -> None:
    export = start_export(context, pace="steady")
    assert next(export) == ExportStep(0, 40)
    assert next(export) == ExportStep(1, 49, is_placing=True)
    export.close()  # type: ignore[attr-defined]
    assert list_files(context) == []
    steps = list(start_export(context, pace="steady"))
    compared = [step.done for step in steps if step.is_placing]
    assert compared == list(range(1, len(compared) + 1))
    assert 32 < len(compared) <= 49  # 17, and 33 of which some are the same
    assert steps[-1].path is not None


def test_nothing_is_made_for_whoever_is_refused_or_waits(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise AssertionError("an image was made")

    with context.exporting.join():
        monkeypatch.setattr(context.sampler, "_run_generator", refuse)
        export = start_export(context, pace="steady")
        assert next(export).num_ahead == 1
        export.close()  # type: ignore[attr-defined]


def test_a_checkpoint_replaced_while_an_export_waits_does_not_stop_it(context: AppContext) -> None:
    first, second = start_export(context), start_export(context)
    next(first)
    assert next(second).num_ahead == 1
    expected = list(first)[-1].path
    save_small_checkpoint(context.library.folder, "one", "dcgan", 16, seed=9)
    found = list(second)[-1].path
    assert expected is not None
    assert found is not None
    assert found.read_bytes() == expected.read_bytes()


def test_what_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    downloads = ExportFolder(tmp_path / "exports")
    with pytest.raises(ProjectError, match="refused"), downloads.make("grid", ".png"):
        raise ProjectError("refused")
    assert list(downloads.root.iterdir()) == []
    with downloads.make("grid", ".png") as path:
        path.write_bytes(b"whole")
    assert [found.name for found in downloads.root.rglob("*.png")] == ["grid.png"]


def test_one_export_runs_at_a_time_until_it_is_closed(context: AppContext) -> None:
    first, second, third = (start_export(context) for _ in range(3))
    assert next(first) == ExportStep(0, 40)
    assert next(first).done > 0
    assert next(second) == ExportStep(0, 40, num_ahead=1)
    assert next(third) == ExportStep(0, 40, num_ahead=2)
    assert len({path.parent for path in list_files(context) if path.is_file()}) == 1
    second.close()  # type: ignore[attr-defined]
    assert next(third).num_ahead == 1
    first.close()  # type: ignore[attr-defined]
    assert next(third) == ExportStep(0, 40)
    assert list(third)[-1].path is not None


def test_names_are_safe_and_folders_cannot_be_guessed(tmp_path: Path) -> None:
    folder = ExportFolder(tmp_path / "exports")
    path = folder.make_path("../../etc/pass wd", ".png")
    assert path.name == "..-..-etc-pass-wd.png"
    assert path.parent.parent == tmp_path / "exports"
    assert folder.make_path("a", ".png").parent != folder.make_path("a", ".png").parent


def test_old_files_stay_until_newer_ones_need_the_room(tmp_path: Path) -> None:
    folder = ExportFolder(tmp_path, max_bytes=250)
    paths = [folder.make_path(str(hours), ".png") for hours in (9, 7, 5, 3)]
    for path, hours in zip(paths, (9, 7, 5, 3), strict=True):
        path.write_bytes(bytes(100))
        age(path.parent, hours)
    folder.make_path("new", ".png")
    assert [path.exists() for path in paths] == [False, False, True, True]
    assert not paths[0].parent.exists()


def test_above_the_ceiling_the_oldest_go_whatever_their_age(tmp_path: Path) -> None:
    """Of 500 bytes written within an hour 300 may stay: the two oldest of five files go."""
    folder = ExportFolder(tmp_path, max_bytes=100, ceiling_bytes=300)
    minutes = (50, 40, 30, 20, 10)
    paths = [folder.make_path(str(minute), ".gif") for minute in minutes]
    for path, minute in zip(paths, minutes, strict=True):
        path.write_bytes(bytes(100))
        age(path.parent, minute / 60)
    folder.make_path("new", ".gif")
    assert [path.exists() for path in paths] == [False, False, True, True, True]


def test_what_was_written_within_an_hour_stays_below_the_ceiling(tmp_path: Path) -> None:
    folder = ExportFolder(tmp_path, max_bytes=0)
    fresh, on_its_way = (folder.make_path(name, ".gif") for name in ("fresh", "on its way"))
    for path in (fresh, on_its_way):
        path.write_bytes(bytes(100))
    past = time.time() - 7200
    os.utime(on_its_way.parent, (past, past))  # begun two hours ago, written to just now
    folder.make_path("new", ".gif")
    assert fresh.exists()
    assert on_its_way.exists()


def test_what_cannot_be_removed_now_stays_and_stops_nobody(tmp_path: Path) -> None:
    folder = ExportFolder(tmp_path, max_bytes=0)
    stuck, other = (folder.make_path(name, ".png") for name in ("stuck", "other"))
    stuck.mkdir()  # unlink refuses it, as it refuses an open file on Windows
    other.write_bytes(b"x")
    age(stuck.parent, 3)
    age(other.parent, 2)
    assert folder.make_path("new", ".png").parent.exists()
    assert stuck.exists()
    assert not other.exists()


def test_many_saves_at_once_clear_the_same_old_folders(tmp_path: Path) -> None:
    folder = ExportFolder(tmp_path, max_bytes=0)
    for _ in range(200):
        path = folder.make_path("old", ".png")
        path.write_bytes(b"x")
        age(path.parent, 2)
    problems = []
    together = threading.Barrier(8)

    def save() -> None:
        together.wait()
        try:
            folder.make_path("new", ".png").write_bytes(b"new")
        except OSError as error:
            problems.append(error)

    threads = [threading.Thread(target=save) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [path.read_bytes() for path in tmp_path.rglob("*.png")] == [b"new"] * 8
