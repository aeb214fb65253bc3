"""Fixtures that every test may use, and a loud line where no browser is found."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Set before PyTorch is imported anywhere. Sums depend on how many threads share them: these are the
# same on every machine. For networks as small as here, two threads only wait for each other, and
# beside other work a training takes ten times as long with them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.chromium import INSTALL_HINT, find_chromium, open_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Set before Gradio is imported anywhere: tests send nothing to anyone.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

# What tests serve is on this machine: no proxy is asked for it.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"

NO_CHROMIUM = f"NO CHROMIUM FOUND: the browser tests are skipped. {INSTALL_HINT}."


def pytest_report_header() -> str:
    """Say at the start which browser the tests drive."""
    path = find_chromium()
    return f"chromium: {path}" if path else NO_CHROMIUM


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat at the end that there was no browser, where nobody can miss it."""
    if find_chromium() is None:
        terminalreporter.write_line(NO_CHROMIUM, red=True, bold=True)


@pytest.fixture(scope="module")
def short_collections() -> Iterator[None]:
    """Keep what was there before a module's tests out of garbage collections.

    Gradio and PyTorch are half a million objects, and a look at all of them takes half a second.
    """
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def _temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let what libraries leave among the temporary files go with those of the tests."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("TMPDIR", str(folder))  # of programs that tests start
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def diagnosable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with models that can be diagnosed and the cache of their images.

    It is to be copied; filling it takes as long as features of the images do.
    """
    from tests.explorer.ui.diagnosable import fill_diagnosable_folder

    root = tmp_path_factory.mktemp("diagnosable")
    fill_diagnosable_folder(root / "models", root / "cache" / "latent-explorer")
    return root


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium, or skip the test and say how to get one."""
    path = find_chromium()
    if path is None:
        pytest.skip(NO_CHROMIUM)
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """Start one headless Chromium for all browser tests of the session."""
    with open_chromium(chromium) as browser:
        yield browser
