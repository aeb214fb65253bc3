"""app.py as a user starts it: what cannot be served ends with one sentence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client  # type: ignore[import-untyped]

import app
from explorer.library import CheckpointLibrary
from explorer.runs import RunLibrary
from explorer.ui.app import build_app
from tests.explorer.ui.live_app import save_small_checkpoint

Launch = Callable[..., dict[str, Any]]


def run_app(repository: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run app.py, which is to fail, and return its status and what it said."""
    command = [sys.executable, "app.py", *flags]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launch]:
    """Give a function that starts app.py here, and tells what it would have served, and how."""
    told: dict[str, Any] = {}

    def note_folders(*arguments: Any, **options: Any) -> gr.Blocks:
        for value in arguments:
            if isinstance(value, (CheckpointLibrary, RunLibrary)):
                told[type(value).__name__] = value.folder
        return build_app(*arguments, **options)

    def start(*flags: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["app.py", "--checkpoints", str(tmp_path), *flags])
        assert app.main() == 0
        return told

    # Whoever runs the tests may have set them.
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    monkeypatch.delenv("GRADIO_SERVER_PORT", raising=False)
    monkeypatch.setattr("explorer.ui.app.build_app", note_folders)
    monkeypatch.setattr(gr.Blocks, "launch", lambda _, **options: told.update(options))
    before = signal.getsignal(signal.SIGTERM)
    yield start
    signal.signal(signal.SIGTERM, before)


def test_the_app_is_served_to_this_machine_alone_unless_it_is_asked(
    launch: Launch, tmp_path: Path, repository: Path
) -> None:
    told = launch()
    assert (told["server_name"], told["server_port"]) == ("127.0.0.1", 7860)
    assert told["share"] is False
    assert told.items() >= {"run_history": False, "show_error": False}.items()
    assert told["CheckpointLibrary"] == tmp_path
    assert told["RunLibrary"] == repository / "runs"


def test_flags_reach_what_is_served(launch: Launch, tmp_path: Path) -> None:
    runs = tmp_path / "other runs"
    told = launch("--host", "0.0.0.0", "--port", "1234", "--share", "--runs", str(runs))
    assert (told["server_name"], told["server_port"], told["share"]) == ("0.0.0.0", 1234, True)
    assert told["RunLibrary"] == runs


def test_the_environment_sets_defaults_that_flags_override(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "8123")
    told = launch()
    assert (told["server_name"], told["server_port"], told["share"]) == ("0.0.0.0", 8123, False)
    told = launch("--host", "127.0.0.1", "--port", "1234")
    assert (told["server_name"], told["server_port"]) == ("127.0.0.1", 1234)


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
    process = subprocess.Popen(
        command, cwd=repository, env={**os.environ, "TMPDIR": str(temporary)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert any(str(port) in line for line in process.stdout)  # its address: it is there
        client = Client(f"http://127.0.0.1:{port}", verbose=False, download_files=False)
        client.predict("one", 1, 2, 3, 25, 64, "lanczos", False, api_name="/export_gif")
        client.submit("one", 1, 2, 600, 25, 512, "lanczos", False, api_name="/export_gif")
        assert len(list(temporary.glob("latent-explorer-*/*/one-1-to-2.gif"))) == 1
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert list(temporary.glob("latent-explorer-*")) == []
    finally:
        process.kill()
        process.wait()
