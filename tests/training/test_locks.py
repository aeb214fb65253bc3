"""One process at a time per run: told who holds it, and not held up by the dead."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from training.errors import CheckpointError
from training.locks import lock_run

HOLD = """
import sys
from pathlib import Path
from training.locks import lock_run

with lock_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path, repository):
    """Start a process that holds the lock of a run."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run" / "lock")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=repository
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_trains_the_run(holder, tmp_path):
    expected = rf"run is being trained by process {holder.pid} on {socket.gethostname()}"
    with (
        pytest.raises(CheckpointError, match=expected),
        lock_run(tmp_path / "run" / "lock"),
    ):
        pass


def test_a_lock_of_a_process_that_was_killed_holds_nobody_up(holder, tmp_path):
    path = tmp_path / "run" / "lock"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert path.read_text() == f"{holder.pid} {socket.gethostname()}\n"
    with lock_run(path):
        assert path.read_text() == f"{os.getpid()} {socket.gethostname()}\n"


def test_a_lock_is_let_go_at_the_end_of_the_block(tmp_path):
    for _ in range(2):
        with lock_run(tmp_path / "lock"):
            pass
