"""A live server and a browser page that notices errors and requests to anyone else."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.explorer.ui.live_app import LiveApp, fill_folder, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OpenPage = Callable[..., "Page"]
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
# The machine may be busy with other work: nothing here measures time.
TIMEOUT_MS = 120_000
LONG_MS = 600_000  # for what the worker of low priority makes


def read_uri(uri: str | None) -> np.ndarray:
    """Return the pixels of an image in a data URI, uint8 (H, W, 3)."""
    assert uri is not None
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def open_tab(page: Page, name: str) -> None:
    """Show a tab of the page."""
    page.get_by_role("tab", name=name).click()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[LiveApp]:
    """Serve three small models, a damaged file and reference statistics."""
    root = tmp_path_factory.mktemp("browser")
    with serve(fill_folder(root / "checkpoints", has_reference=True), root / "exports") as app:
        yield app


@pytest.fixture(scope="module")
def clinic(
    tmp_path_factory: pytest.TempPathFactory, chromium: str, diagnosable: Path
) -> Iterator[LiveApp]:
    """Serve a model that varies, one that is stuck, and one without statistics."""
    root = shutil.copytree(diagnosable, tmp_path_factory.mktemp("clinic") / "root")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        with serve(root / "models", root / "exports") as app:
            yield app


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Give a function that opens an address in a fresh profile.

    At the end every request must have gone to that address, and nothing may have been reported
    to the console as an error.
    """
    contexts = []
    problems: list[str] = []

    def watch(page: Page, url: str) -> None:
        page.on("console", lambda message: problems.append(f"console: {message.text}")
                if message.type == "error" else None)  # fmt: skip
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("request", lambda request: None if request.url.startswith((url, "data:", "blob:"))
                else problems.append(f"request to {request.url}"))  # fmt: skip
        page.on("response", lambda response: problems.append(f"{response.status} {response.url}")
                if response.status >= 400 else None)  # fmt: skip

    def open_(url: str, viewport: dict[str, int] = DESKTOP, **options: object) -> Page:
        context = browser.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        watch(page, url)
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def browser_page(app: LiveApp, open_page: OpenPage) -> Page:
    """Open the app and wait for its first sample."""
    page = open_page(app.url)
    page.wait_for_selector(".lx-sample .lx-frame img")
    return page
