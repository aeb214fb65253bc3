"""Disks that are full or read-only: one sentence, status 2, and what was there stays whole."""

import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.training.conftest import SMALL
from training.__main__ import main
from training.checkpoint import load_generator
from training.errors import ProjectError
from training.history import HistoryWriter, read_history
from training.runs import RunFolder
from training.tensorboard_log import TensorBoardLog

MIB = 2**20

needs_mounts = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount a small disk"
)


@pytest.fixture
def mount(tmp_path):
    """Return a function that mounts a disk of so many bytes; it is gone after the test."""
    mounted = []

    def mount_disk(num_bytes, name="disk"):
        disk = tmp_path / name
        disk.mkdir()
        options = ["-o", f"size={num_bytes}", "tmpfs", str(disk)]
        done = subprocess.run(["mount", "-t", "tmpfs", *options], check=False, capture_output=True)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.decode()}")
        mounted.append(disk)
        return disk

    yield mount_disk
    for disk in mounted:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk):
    """Leave no byte on a disk."""
    with (disk / "filler").open("wb", 0) as file, pytest.raises(OSError, match="No space left"):
        write_on(lambda _: file.write(b"\0" * 4096))


def write_on(write, first=1):
    """Write until an error ends it; ten thousand times are more than enough."""
    for number in range(first, 10_000):
        write(number)


def fill_and_log(disk, log):
    """Fill a disk, then log until the thread that writes has met the error."""
    fill(disk)
    write_on(lambda step: log.add_scalar("loss", 1.0, step))
    log.flush()


@contextmanager
def limit_file_size(num_bytes):
    """Let no file of this process grow beyond a size, as some file systems do (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def build_command(pictures, *extra):
    command = ["train", "--model", "dcgan", "--data", f"folder:{pictures}", "--name", "a"]
    return [*command, *SMALL, *extra]


def read_error(capsys):
    """Return the last line of stderr, checking that no traceback came before."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text.strip().splitlines()[-1]


@needs_mounts
def test_a_disk_that_fills_up_keeps_the_last_states_and_the_run_can_go_on(
    workplace, pictures, mount, capsys
):
    assert main(build_command(pictures, "--steps", "1")) == 0
    (path, *_) = RunFolder(Path("runs/a")).states.list_paths()
    # Room for the two states that are kept and all that is small, but not for a third beside them.
    disk = mount(int(2.6 * path.stat().st_size))
    steps = ["--steps", "20", "--save-every", "5"]
    runs = ["--runs", str(disk), "--checkpoints", "others"]
    assert main([*build_command(pictures, *steps), *runs]) == 2
    assert "error: No space left on the disk while writing" in read_error(capsys)
    folder = RunFolder(disk / "a")
    assert [path.name for path in folder.states.list_paths()] == [
        "state-0000005.pt",
        "state-0000000.pt",
    ]
    assert folder.states.load()["step"] == 5
    assert list(folder.path.glob(".*")) == []
    load_generator(Path("others/a.safetensors"))
    # With room again it goes on from there.
    shutil.copytree(folder.path, "roomy/a")
    assert main(["train", "--resume", "roomy/a"]) == 0
    assert "Done: 20 steps" in capsys.readouterr().out


@needs_mounts
def test_a_row_that_finds_no_space_leaves_no_half_of_it(mount):
    disk = mount(MIB)
    path = disk / "metrics.jsonl"
    writer = HistoryWriter(path)
    writer.write({"step": 1})
    fill(disk)
    with pytest.raises(ProjectError, match=r"No space left on the disk while writing .*metrics"):
        # The file's last page has room for some more.
        write_on(lambda step: writer.write({"step": step}), first=2)
    (disk / "filler").unlink()
    writer.write({"step": 10_000})
    writer.close()
    steps = [row["step"] for row in read_history(path)]
    assert path.read_bytes().count(b"\n") == len(steps)
    assert steps == [*range(1, len(steps)), 10_000]


@needs_mounts
def test_tensorboard_on_a_full_disk_is_one_sentence_without_its_threads_traceback(mount, capsys):
    folder = RunFolder(mount(MIB))
    expected = r"No space left on the disk while writing .*tensorboard"
    with pytest.raises(ProjectError, match=expected), TensorBoardLog(folder, 1) as log:
        fill_and_log(folder.path, log)
    assert capsys.readouterr().err == ""


@needs_mounts
def test_a_full_disk_of_checkpoints_stops_the_run_before_its_first_step(
    workplace, pictures, mount, capsys
):
    disk = mount(MIB)
    fill(disk)
    command = build_command(pictures, "--steps", "1", "--checkpoints", str(disk))
    assert main(command) == 2
    assert "No space left on the disk while writing" in read_error(capsys)
    assert not list(disk.glob("*.safetensors"))


@needs_mounts
@pytest.mark.parametrize("place", ["--runs", "--checkpoints"])
def test_a_read_only_disk_is_one_sentence_before_the_first_step(
    place, workplace, pictures, mount, capsys
):
    disk = mount(MIB)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert main(build_command(pictures, "--steps", "1", place, str(disk))) == 2
    error = read_error(capsys)
    assert error.startswith(f"error: {disk}")
    assert "cannot be written (Read-only file system): make it writable or" in error
    assert read_history(Path("runs/a/metrics.jsonl")) == []


@needs_mounts
def test_a_run_on_a_disk_that_became_read_only_is_not_resumed(workplace, pictures, mount, capsys):
    disk = mount(32 * MIB)
    assert main(build_command(pictures, "--steps", "2", "--runs", str(disk))) == 0
    before = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert main(["train", "--resume", str(disk / "a"), "--steps", "4"]) == 2
    assert "cannot be written (Read-only file system)" in read_error(capsys)
    assert main(["train", "--resume", str(disk / "a"), "--steps", "4", "--dry-run"]) == 0
    assert {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_one_sentence(workplace, pictures, capsys):
    Path("runs").mkdir(mode=0o500)
    assert main(build_command(pictures, "--steps", "1")) == 2
    assert "cannot be written (Permission denied): make it writable or" in read_error(capsys)


def test_a_file_that_may_not_grow_ends_a_run_with_one_sentence(workplace, pictures, capsys):
    assert main(build_command(pictures, "--steps", "1")) == 0
    folder = RunFolder(Path("runs/a"))
    (path, *_) = folder.states.list_paths()
    with limit_file_size(path.stat().st_size // 2):
        assert main(["train", "--resume", "runs/a", "--steps", "3"]) == 2
    assert "error: No larger file is allowed here while writing" in read_error(capsys)
    assert folder.states.load()["step"] == 1
    assert main(["train", "--resume", "runs/a", "--steps", "3"]) == 0


def test_a_row_beyond_the_largest_file_leaves_no_half_of_it(tmp_path):
    writer = HistoryWriter(tmp_path / "metrics.jsonl")
    expected = "No larger file is allowed here"
    with limit_file_size(100), pytest.raises(ProjectError, match=expected):
        write_on(lambda step: writer.write({"step": step}), first=0)
    writer.close()
    # A row is 12 bytes for the steps 0 to 9: eight fit into 100 bytes, the ninth in part.
    assert (tmp_path / "metrics.jsonl").read_text().splitlines()[-1] == '{"step": 7}'
    assert len(read_history(tmp_path / "metrics.jsonl")) == 8


def test_two_processes_do_not_train_one_run(workplace, pictures, capsys):
    assert main(build_command(pictures, "--steps", "1")) == 0
    folder = RunFolder(Path("runs/a"))
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    with folder.lock():
        locked = folder.path / "lock"
        assert main(["train", "--resume", "runs/a", "--steps", "3"]) == 2
        assert f"runs/a is being trained by process {os.getpid()} on" in read_error(capsys)
        before[locked] = locked.read_bytes()
    after = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    assert after == before
