"""The file formats of animations; each is one module, and one line here."""

from pathlib import Path

from explorer.formats.apng import APNG
from explorer.formats.base import AnimationFormat
from explorer.formats.gif import GIF
from explorer.formats.mp4 import MP4
from explorer.formats.png_zip import PNG_ZIP
from explorer.formats.webp import WEBP
from training.errors import ConfigError

FORMATS: dict[str, AnimationFormat] = {
    animation_format.suffix: animation_format
    for animation_format in (GIF, WEBP, MP4, APNG, PNG_ZIP)
}


def get_format(path: Path) -> AnimationFormat:
    """Return the format that a file's suffix names; raises ConfigError."""
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise ConfigError(
            f"{path} cannot hold an animation: name a file that ends in {', '.join(FORMATS)}."
        )
    return found


def recognise_format(path: Path) -> AnimationFormat | None:
    """Return the format that a file's head tells, whatever its name is, None if it is of no one.

    A PNG is taken for an APNG, of which it is a special case.
    """
    with path.open("rb") as file:
        head = file.read(16)
    return next((known for known in FORMATS.values() if known.recognises(head)), None)


def read_text(path: Path) -> str | None:
    """Return the text that came with an animation or a PNG, None where there is none of ours.

    Raises what its library raises for a file that is damaged: OSError, SyntaxError or ValueError,
    or Pillow's DecompressionBombError.
    """
    found = recognise_format(path)
    return found.read_text(path) if found else None
