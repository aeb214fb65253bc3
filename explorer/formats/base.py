"""What every file format of animations has: when frames are shown, how they and a text go in."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from training.cores import count_usable_cores

TEXT_KEY = "latent-explorer"  # what a text of this program is found by, in every format
NUM_THREADS = min(4, count_usable_cores())  # Pillow's inner loops release the interpreter lock
NO_FRAMES = "An animation needs at least one frame, found none."


@dataclass(frozen=True)
class Timing:
    """Say how long each frame is shown: 1 / ``fps`` seconds, those ``held`` ``hold`` if longer."""

    fps: float
    held: frozenset[int] = frozenset()
    hold: float = 0.0

    def count_ticks(self, index: int, ticks_per_second: float) -> int:
        """Return how many ticks the frame of an index is shown, in whole ticks, one at least."""
        ticks = max(1, round(ticks_per_second / self.fps))
        if index in self.held:
            ticks = max(ticks, round(ticks_per_second * self.hold))
        return ticks


class Writer(Protocol):
    """Write frames as they come."""

    def __call__(
        self, path: Path, frames: Iterable[np.ndarray], timing: Timing, text: str
    ) -> Iterator[int]:
        """Write frames, uint8 (H, W, C) with C 1 or 3, yielding how many are written so far.

        The ASCII ``text`` goes along. Once the iterator has ended the file is whole. Raises
        ConfigError if there is no frame, or where the format cannot hold them.
        """


@dataclass(frozen=True)
class AnimationFormat:
    """Describe a file format of animations.

    ``media`` is how a page shows it: "image", "video", or "" if it cannot.
    ``get_ticks_per_second`` says, for a frame rate, in what units delays are counted.
    ``read_text`` returns the text of a file of this format, None if it has none of ours;
    ``check_size`` raises ConfigError for a width and height that it cannot hold.
    """

    name: str
    suffix: str
    about: str
    media: str
    get_ticks_per_second: Callable[[float], float]
    write: Writer
    recognises: Callable[[bytes], bool]
    read_text: Callable[[Path], str | None]
    check_size: Callable[[int, int], None] = lambda width, height: None

    def describe(self, num_frames: int, fps: float) -> str:
        """Say how many frames a file has, and how fast they follow where it says so itself."""
        rate = f", {self.get_real_fps(fps):.4g} per second" if self.media else ""
        return f"{num_frames} frames{rate}"

    def get_real_fps(self, fps: float) -> float:
        """Return the frame rate that files of this format have where ``fps`` is asked for."""
        ticks_per_second = self.get_ticks_per_second(fps)
        return ticks_per_second / Timing(fps).count_ticks(0, ticks_per_second)


def pack_text(text: str) -> str:
    """Return a text as it stands in fields that others write to as well, "" for none."""
    return f"{TEXT_KEY}:{text}" if text else ""


def unpack_text(field: str) -> str | None:
    """Return the text of a field of `pack_text`, None if it is another's."""
    key, _, text = field.partition(":")
    return text if key == TEXT_KEY else None


def to_pillow(image: np.ndarray) -> Image.Image:
    """Wrap an image, uint8 (H, W, C) with C 1 or 3, for Pillow."""
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
