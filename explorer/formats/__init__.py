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


def read_text(path: Path) -> str | None:
    """Return the text that came with an animation or a PNG, None where there is none of ours.

    What a file is tells its head, not its name. Raises what its library raises for a file that is
    damaged: OSError, SyntaxError or ValueError, or Pillow's DecompressionBombError.
    """
    with path.open("rb") as file:
        head = file.read(16)
    for animation_format in FORMATS.values():
        if animation_format.is_mine(head):
            return animation_format.read_text(path)
    return None
