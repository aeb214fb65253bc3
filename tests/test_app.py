"""app.py as a user starts it: what cannot be served ends with one sentence."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path


def run_app(repository: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run app.py, which is to fail, and return its status and what it said."""
    command = [sys.executable, "app.py", *flags]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)


def test_a_device_that_is_not_there_is_named(repository: Path) -> None:
    done = run_app(repository, "--device", "cuda:99")
    assert done.returncode == 2
    assert done.stderr.startswith("error: device: 'cuda:99' was asked for")
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(repository: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run_app(repository, "--port", str(port))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: Nothing can be served at 127.0.0.1:{port}")
    assert "Choose another --port" in done.stderr
