"""Who can reach the page, by where it is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.library import CheckpointLibrary
from explorer.runs import RunLibrary
from explorer.ui.access import (
    is_loopback,
    is_private,
    list_trusted_hosts,
    may_send_real_images,
    name_folder,
)
from training.errors import CheckpointError, ProjectError


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("localhost", True),
        ("LocalHost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_only_loopback_addresses_are_out_of_reach(host: str, is_local: bool) -> None:
    """No other machine reaches these, unless there is a public link."""
    assert is_loopback(host) is is_local
    assert is_private(host, is_shared=False) is is_local
    assert is_private(host, is_shared=True) is False


@pytest.mark.parametrize("is_alone", [True, False])
def test_a_choice_decides_whoever_can_see_the_page(is_alone: bool) -> None:
    """--real-images and --no-real-images hold anywhere; without them it is who can see them."""
    assert may_send_real_images(True, is_alone) is True
    assert may_send_real_images(False, is_alone) is False
    assert may_send_real_images(None, is_alone) is is_alone


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("127.0.0.1", ["localhost", "127.0.0.1", "[::1]"]),
        ("::1", ["localhost", "127.0.0.1", "[::1]"]),
        ("[::1]", ["localhost", "127.0.0.1", "[::1]"]),
        ("192.168.1.5", ["localhost", "127.0.0.1", "[::1]", "192.168.1.5"]),
        ("lab.example.org", ["localhost", "127.0.0.1", "[::1]", "lab.example.org"]),
        ("0.0.0.0", None),
        ("::", None),
    ],
)
def test_a_server_is_called_by_its_host_or_by_loopback(
    host: str, trusted: list[str] | None
) -> None:
    """Names are written as in a Host header; those of a wildcard or public link are not known."""
    assert list_trusted_hosts(host, is_shared=False) == trusted
    assert list_trusted_hosts(host, is_shared=True) is None


def test_folders_are_named_without_what_is_above_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the current folder as seen from there, elsewhere by the last part if others look."""
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path.parent / "private" / "models"
    for is_alone in (True, False):
        assert name_folder(tmp_path / "models" / "new", is_alone) == Path("models/new")
        assert name_folder(Path("models"), is_alone) == Path("models")
    assert name_folder(elsewhere, is_private=True) == elsewhere
    assert name_folder(elsewhere, is_private=False) == Path("models")
    library = CheckpointLibrary(tmp_path / "models", Path("models"))
    assert str(library.message).startswith("There is no checkpoint folder models: ")
    with pytest.raises(CheckpointError) as refused:
        library.get("nobody")
    assert str(tmp_path) not in str(refused.value)
    runs = RunLibrary(tmp_path / "runs", Path("runs"))
    with pytest.raises(ProjectError, match="There is no run 'nobody' in runs;"):
        runs.read_grid("nobody", 1)
