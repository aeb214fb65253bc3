"""What is shown of files and folders: their last part."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.checkpoint import load_header
from training.place_names import shorten_command, shorten_place

SHIPPED = sorted((Path(__file__).parents[2] / "checkpoints").glob("*.safetensors"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("folder:/home/alice/clients/photos", "folder:photos"),
        ("folder:/home/alice/clients/photos/", "folder:photos"),
        ("folder:../clients/photos.zip", "folder:photos.zip"),
        (r"folder:C:\\Users\\alice\\photos", "folder:photos"),
        ("/home/alice/weights.pth", "weights.pth"),
        ("~/data", "data"),
        ("folder:photos.zip", "folder:photos.zip"),
        ("avatars:toon-head", "avatars:toon-head"),
        ("mnist", "mnist"),
        ("", ""),
        ("/", "/"),
    ],
)
def test_a_place_is_called_by_its_last_part(text: str, shown: str) -> None:
    """What tells how to read it, such as folder:, stays before it."""
    assert shorten_place(text) == shown


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (
            "python -m training train --data folder:/home/alice/clients/photos --data-root "
            "/home/alice/data --cache-dir=/var/alice/cache --name faces",
            "python -m training train --data folder:photos --data-root data --cache-dir=cache "
            "--name faces",
        ),
        (
            "python -m training train --data='folder:/home/alice/my photos'",
            "python -m training train '--data=folder:my photos'",
        ),
        (
            "python -m training train --title 'Cats and/or dogs' '--terms=CC BY/4.0, a b'",
            "python -m training train --title 'Cats and/or dogs' '--terms=CC BY/4.0, a b'",
        ),
        ("not 'a command", "not 'a command"),
        ("", ""),
    ],
)
def test_a_command_keeps_its_form_and_loses_its_folders(command: str, shown: str) -> None:
    """Flags, names and what people are to read stay as they are."""
    assert shorten_command(command) == shown
    assert shorten_command(shown) == shown


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_commands_without_folders_stay_as_they_are(path: Path) -> None:
    """Those of the models that come with the project name none."""
    command = load_header(path).training["command"]
    assert shorten_command(command) == command
