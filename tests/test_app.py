"""app.py as a user starts it: what cannot be served ends with one sentence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client  # type: ignore[import-untyped]
from gradio_client.exceptions import AppError  # type: ignore[import-untyped]

import app
from explorer.library import CheckpointLibrary
from explorer.runs import RunLibrary
from explorer.ui.app import build_app
from tests.explorer.ui.live_app import save_small_checkpoint

Launch = Callable[..., dict[str, Any]]


def run_app(repository: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run app.py, which is to fail, and return its status and what it said."""
    command = [sys.executable, "app.py", *flags]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=600)


@contextmanager
def start_app(
    repository: Path, folder: Path, *flags: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Serve a small model by app.py on a free port until the block ends.

    The process leaves its temporary files in ``folder``/temporary.
    """
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    save_small_checkpoint(folder, "one", "dcgan", 16)
    places = ("--port", str(port), "--checkpoints", str(folder))
    command = [sys.executable, "app.py", *places, *flags]
    temporary = folder / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        command, cwd=repository, env={**os.environ, "TMPDIR": str(temporary)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert any(str(port) in line for line in process.stdout)  # its address: it is there
        yield process, port
    finally:
        process.kill()
        process.communicate()


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


def test_only_this_machines_names_are_answered(repository: Path, tmp_path: Path) -> None:
    """A site whose name leads to this machine (DNS rebinding) gets 400, honest requests 200."""
    with start_app(repository, tmp_path) as (_, port):
        for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
            page = httpx.get(f"http://127.0.0.1:{port}/", headers={"Host": host}, timeout=300)
            assert page.status_code == 200, host
            assert "Latent Explorer" in page.text
        for host in ("evil.example", f"localhost.evil.example:{port}", f"192.168.1.5:{port}"):
            for path in ("", "config", "gradio_api/info"):
                address = f"http://127.0.0.1:{port}/{path}"
                assert httpx.get(address, headers={"Host": host}, timeout=300).status_code == 400


def test_where_others_see_the_page_it_names_no_folders(repository: Path, tmp_path: Path) -> None:
    """On all addresses any name is answered, and errors tell the last part of a path alone."""
    with start_app(repository, tmp_path, "--host", "0.0.0.0") as (_, port):
        forged = {"Host": "lab.example.org"}
        assert (
            httpx.get(f"http://127.0.0.1:{port}/", headers=forged, timeout=300).status_code == 200
        )
        client = Client(
            f"http://127.0.0.1:{port}",
            verbose=False,
            httpx_kwargs={"timeout": 300},
            download_files=False,
        )
        with pytest.raises(AppError) as refused:
            client.predict("nobody", api_name="/sample")
        assert f"There is no model 'nobody' in {tmp_path.name}: " in str(refused.value)
        assert str(tmp_path) not in str(refused.value)


def test_sigterm_ends_the_app_and_leaves_no_files(repository: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    with start_app(repository, tmp_path) as (process, port):
        client = Client(
            f"http://127.0.0.1:{port}",
            verbose=False,
            httpx_kwargs={"timeout": 300},
            download_files=False,
        )
        client.predict("one", 1, 2, 3, 25, 64, "lanczos", False, api_name="/export_morph")
        job = client.submit("one", 1, 2, 600, 25, 512, "lanczos", False, api_name="/export_morph")
        next(iter(job))  # it has begun
        assert len(list(temporary.glob("latent-explorer-*/*/one-1-to-2.gif"))) == 1
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert list(temporary.glob("latent-explorer-*")) == []
