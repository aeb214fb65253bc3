"""A live server over small checkpoints, and a client of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client  # type: ignore[import-untyped]

from tests.explorer.ui.clinic import Clinic
from tests.explorer.ui.diagnosable import make_labelled_dataset
from tests.explorer.ui.live_app import LiveApp, fill_folder, serve


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """Serve three small models, a damaged file and reference statistics."""
    root = tmp_path_factory.mktemp("live")
    with serve(fill_folder(root / "checkpoints", has_reference=True), root / "exports") as app:
        yield app


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, diagnosable: Path) -> Iterator[Clinic]:
    root = shutil.copytree(diagnosable, tmp_path_factory.mktemp("clinic") / "root")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        with serve(root / "models", root / "exports") as app:
            yield Clinic(app, make_labelled_dataset())


@pytest.fixture(scope="session")
def client(live: LiveApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Connect a client as another program would."""
    client = Client(
        live.url,
        verbose=False,
        httpx_kwargs={"timeout": 300},
        download_files=tmp_path_factory.mktemp("got"),
    )
    yield client
    client.close()
