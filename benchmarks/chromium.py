"""Find a Chromium and start it through Playwright, for the benchmarks and the browser tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# Where `python -m playwright install chromium` puts it, on Linux and macOS.
DOWNLOADS = (
    ".cache/ms-playwright/chromium-*/chrome-linux*/chrome",
    "Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)
LAUNCH_TIMEOUT_MS = 300_000  # several may start at a time
FLAGS = (
    "--no-sandbox",  # a root user, as in a container, has no sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
INSTALL_HINT = (
    "Debian or Ubuntu: sudo apt-get install chromium; elsewhere: "
    ".venv/bin/python -m playwright install chromium; or name one in the variable CHROMIUM"
)


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome, or None; the variable CHROMIUM names one first."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    candidates = [shutil.which(command) for command in COMMANDS]
    candidates += [path for path in APPLICATIONS if Path(path).exists()]
    for pattern in DOWNLOADS:
        candidates += [str(path) for path in sorted(Path.home().glob(pattern), reverse=True)]
    return next((path for path in candidates if path), None)


@contextmanager
def open_chromium(executable: str) -> Iterator[Browser]:
    """Start a headless Chromium and close it at the end.

    The Playwright driver is stopped too, so that no process outlives the block.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(FLAGS), timeout=LAUNCH_TIMEOUT_MS
        )
        try:
            yield browser
        finally:
            browser.close()
