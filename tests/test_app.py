"""app.py as a user starts it: what cannot be served ends with one sentence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from gradio_client import Client  # type: ignore[import-untyped]

from tests.explorer.ui.live_app import save_small_checkpoint


def run_app(repository: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run app.py, which is to fail, and return its status and what it said."""
    command = [sys.executable, "app.py", *flags]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)


def test_a_device_that_is_not_there_is_named(repository: Path) -> None:
    done = run_app(repository, "--device", "cuda:99")
    assert done.returncode == 2
    assert done.stderr.startswith("error: device: 'cuda:99' was asked for")
    assert "Traceback" not in done.stderr


def test_a_port_that_cannot_be_is_named(repository: Path) -> None:
    done = run_app(repository, "--port", "70000")
    assert done.returncode == 2
    assert "'70000' is no port: choose one from 1 to 65535" in done.stderr


def test_a_port_that_is_taken_is_named(repository: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run_app(repository, "--port", str(port))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: Nothing can be served at 127.0.0.1:{port}")
    assert "Choose another --port" in done.stderr


def test_sigterm_ends_the_app_and_leaves_no_files(repository: Path, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    save_small_checkpoint(tmp_path, "one", "dcgan", 16)
    command = [sys.executable, "app.py", "--port", str(port), "--checkpoints", str(tmp_path)]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    app = subprocess.Popen(
        command, cwd=repository, env={**os.environ, "TMPDIR": str(temporary)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert app.stdout is not None
        assert any(str(port) in line for line in app.stdout)  # its address: it is there
        client = Client(f"http://127.0.0.1:{port}", verbose=False, download_files=False)
        client.predict("one", 1, 2, 3, 25, 64, "lanczos", False, api_name="/export_gif")
        client.submit("one", 1, 2, 600, 25, 512, "lanczos", False, api_name="/export_gif")
        assert len(list(temporary.glob("latent-explorer-*/*/one-1-to-2.gif"))) == 1
        app.send_signal(signal.SIGTERM)
        _, errors = app.communicate(timeout=120)
        assert app.returncode == 0, errors
        assert list(temporary.glob("latent-explorer-*")) == []
    finally:
        app.kill()
        app.wait()
