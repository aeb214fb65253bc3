"""GIF: plays everywhere, with 256 colours to a frame."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from explorer.formats.base import AnimationFormat, Timing, pack_text, unpack_text
from explorer.formats.gif_frames import encode_gif

TICKS_PER_SECOND = 100  # delays are whole hundredths of a second


def write_gif(path: Path, frames: Iterable[np.ndarray], timing: Timing, text: str) -> Iterator[int]:
    """Write frames as `Writer` says, as a GIF that loops for ever; the text is its comment.

    Every frame has its own 256 colours, dithered, so that skin does not band. Frames that equal the
    one before are stored as a longer delay of that one: the file may hold fewer, but always plays
    for as many delays.
    """
    options: dict[str, Any] = {"comment": pack_text(text).encode("ascii"), "loop": 0}

    def get_milliseconds(index: int) -> int:
        return 10 * timing.count_ticks(index, TICKS_PER_SECOND)

    with path.open("wb") as file:
        for num_done, data in encode_gif(frames, get_milliseconds, options):
            file.write(data)
            yield num_done


def read_text(path: Path) -> str | None:
    """Return the text in a GIF's comment."""
    with Image.open(path, formats=["GIF"]) as image:
        return unpack_text(image.info.get("comment", b"").decode("ascii", errors="replace"))


GIF = AnimationFormat(
    name="GIF",
    suffix=".gif",
    about="plays everywhere; 256 colours to a frame",
    media="image",
    get_ticks_per_second=lambda fps: TICKS_PER_SECOND,
    write=write_gif,
    recognises=lambda head: head.startswith(b"GIF8"),
    read_text=read_text,
)
