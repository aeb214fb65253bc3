"""The command that goes on with a run: which Python it names, and that it works as printed."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.conftest import SMALL
from tests.training.waiting import wait_for_metrics
from training.config import TrainConfig
from training.datasets import DatasetOptions
from training.history import read_history
from training.restart import join_words, list_launcher_words, list_resume_words, name_python
from training.runs import RunFolder, RunOptions


def make_environment(folder, target):
    """Make the programs of a virtual environment, links to a Python; returns their folder."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(target)
    (programs / "python3").symlink_to("python")
    return programs


def test_python_is_named_as_it_can_be_typed(tmp_path):
    system = tmp_path / "usr" / "python3.11"
    system.parent.mkdir()
    system.write_text("#!/bin/sh\n")
    system.chmod(0o755)
    here = tmp_path / "project"
    own = make_environment(here / ".venv", system)
    other = make_environment(tmp_path / "other", system)
    python = str(own / "python")
    assert name_python(python, here, str(own)) == "python"
    assert name_python(str(own / "python3"), here, f"{own}:{other}") == "python"
    # Both are links to one Python, but the packages are those of the environment.
    assert name_python(python, here, f"{other}:{own}") == ".venv/bin/python"
    assert name_python(python, here, "") == ".venv/bin/python"
    assert name_python(python, tmp_path / "elsewhere", str(other)) == python
    assert name_python(python, own, "") == python  # a name alone would be looked up in PATH
    linked = tmp_path / "linked"
    linked.symlink_to(own.parent)
    assert name_python(str(linked / "bin" / "python"), here, str(own)) == "python"
    assert name_python("", here, "") == "python"


def test_the_command_is_quoted_as_the_system_wants_it():
    words = ["python", "-m", "training", "train", "--resume", "runs/a b"]
    assert join_words(words, is_windows=False) == "python -m training train --resume 'runs/a b'"
    words = [r".venv\Scripts\python.exe", "--resume", r"runs\a b"]
    assert join_words(words, is_windows=True) == r'.venv\Scripts\python.exe --resume "runs\a b"'


def test_the_command_names_a_device_that_the_run_does_not_keep(tmp_path):
    folder = RunFolder(tmp_path / "a run")
    config = TrainConfig("dcgan", "avatars", "a", device="cuda")
    folder.save_options(RunOptions(config, DatasetOptions(), tmp_path, "the command"))
    _, *words = list_resume_words(folder, "cuda")
    assert words == ["-m", "training", "train", "--resume", str(folder.path)]
    assert list_resume_words(folder, "cpu")[1:] == [*words, "--device", "cpu"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "4"]
    assert list_resume_words(folder, "cuda", 4)[1:] == [*launcher, *words]
    folder.options_path.write_text("no JSON")
    assert list_resume_words(folder, "cpu")[1:] == words


def test_several_machines_are_named_with_where_they_meet():
    environment = {"LOCAL_WORLD_SIZE": "4", "MASTER_ADDR": "first"}
    run = "torch.distributed.run"
    assert list_launcher_words(8, environment) == [
        *(run, "--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", "first:29400"),
        *("--nproc-per-node", "4", "-m"),
    ]
    one = [run, "--standalone", "--nproc-per-node", "4", "-m"]
    assert list_launcher_words(4, environment) == list_launcher_words(4, {}) == one
    assert list_launcher_words(1, environment) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX systems")
def test_several_processes_stop_together_and_start_again_as_printed(
    workplace, pictures, repository
):
    """Launcher and process are both told to stop, as by a scheduler: that is no second request."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    train = ["-m", "training", "train", "--model", "dcgan", "--data", f"folder:{pictures}", *SMALL]
    options = ["--name", "two", "--steps", "1000000", "--log-every", "1"]
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    folder = RunFolder(Path("runs/two"))
    with subprocess.Popen(
        [sys.executable, *launcher, *train, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        wait_for_metrics(process, folder.metrics_path)
        os.kill(int((folder.path / "lock").read_text().split()[0]), signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=600)
    step = read_history(folder.metrics_path)[-1]["step"]
    assert f"Stopped at step {step}; the state is saved in runs/two." in output, errors
    assert folder.states.load()["step"] == step
    command = shlex.split(output.splitlines()[-1])
    assert command[1:] == [*launcher, "-m", "training", "train", "--resume", "runs/two"]
    done = subprocess.run(
        [*command, "--steps", str(step + 2)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert f"Done: {step + 2} steps" in done.stdout, done.stderr
