"""A live server over small checkpoints, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gradio_client import Client  # type: ignore[import-untyped]

from tests.explorer.ui.live_app import LiveApp, fill_folder, serve


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """Serve three small models, a damaged file and reference statistics."""
    root = tmp_path_factory.mktemp("live")
    with serve(fill_folder(root / "checkpoints", has_reference=True), root / "exports") as app:
        yield app


@pytest.fixture(scope="session")
def client(live: LiveApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Connect a client as another program would."""
    client = Client(live.url, verbose=False, download_files=tmp_path_factory.mktemp("got"))
    yield client
    client.close()
