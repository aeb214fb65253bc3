"""Waits for a training in another process that end when it does, or takes too long."""

import subprocess
import time
from pathlib import Path

import pytest

from training.history import read_history

PATIENCE = 600  # seconds after which a test fails that would wait for ever


def wait_for_metrics(process: subprocess.Popen[str], path: Path) -> None:
    """Wait for the first row of metrics; fails with what the process said if none comes."""
    deadline = time.monotonic() + PATIENCE
    while not read_history(path):
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            pytest.fail(f"No metrics came:\n{process.communicate(timeout=300)[1]}")
        time.sleep(0.05)
