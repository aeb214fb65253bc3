"""Start the app as a user does, open its page in a browser, and find things on it."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.chromium import INSTALL_HINT, find_chromium
from benchmarks.measurement import Context, UnavailableError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

START_TIMEOUT_SECONDS = 120.0
PAGE_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class RunningApp:
    """Hold the process and the address of a started app."""

    process: subprocess.Popen[bytes]
    url: str


def require_chromium() -> str:
    """Return the path of a Chromium, or raise UnavailableError that says how to get one."""
    path = find_chromium()
    if path is None:
        raise UnavailableError(f"no Chromium was found. {INSTALL_HINT}")
    return path


def find_free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def start_app(context: Context) -> Iterator[RunningApp]:
    """Start `python app.py` on a free port, wait until it answers, and end it afterwards."""
    root = context.root
    if not any((root / "checkpoints").glob("*.safetensors")):
        raise UnavailableError("there is no model in checkpoints/ to show; train one first")
    port = find_free_port()
    command = [sys.executable, "app.py", "--port", str(port), "--device", context.device]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=root, stdout=log, stderr=subprocess.STDOUT)
        app = RunningApp(process, f"http://127.0.0.1:{port}/")
        try:
            if not wait_until_answered(app):
                log.seek(0)
                said = log.read().decode(errors="replace").strip() or "nothing"
                raise UnavailableError(f"{' '.join(command)} did not answer; it said:\n{said}")
            yield app
        finally:
            end_process(process)


def wait_until_answered(app: RunningApp) -> bool:
    """Wait for an answer to a request for the page; False if the process ends or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while app.process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(app.url, timeout=5):
                return True
        except urllib.error.HTTPError:
            return False
        except OSError:
            time.sleep(0.02)
    return False


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and make it after ten seconds."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def open_page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    """Open the app's page in a fresh browser profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(PAGE_TIMEOUT_MS)
        page.goto(app.url, wait_until="commit")
        yield page
    finally:
        context.close()


def wait_for_sample(page: Page) -> None:
    """Wait until the browser has decoded the first image of the sample grid."""
    page.wait_for_function(
        """() => [...document.querySelectorAll(".lx-sample .lx-frame img")]
            .some((image) => image.complete && image.naturalWidth > 0)""",
        polling="raf",
    )


def show_morph(page: Page) -> None:
    """Open the tab with the morph slider and wait until its path can be scrubbed."""
    page.get_by_role("tab", name="Interpolate").click()
    page.wait_for_selector(".lx-morph:not(.is-empty) input[type=range]")
    page.wait_for_function("""() => document.querySelector(".lx-morph").dataset.exact""")
