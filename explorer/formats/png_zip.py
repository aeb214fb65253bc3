"""A zip of PNGs: single frames for editors, with the recipe as a text beside them."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from explorer.formats.base import (
    NO_FRAMES,
    NUM_THREADS,
    TEXT_KEY,
    AnimationFormat,
    Timing,
    to_pillow,
)
from training.errors import ConfigError

TEXT_FILE = f"{TEXT_KEY}.json"
MAX_TEXT_BYTES = 1_000_000  # a zip may claim any size


def write_png_zip(
    path: Path, frames: Iterable[np.ndarray], timing: Timing, text: str
) -> Iterator[int]:
    """Write frames as `Writer` says, each once as a numbered PNG, and the text as a file.

    How long each is shown is not in it. Its entries have no date, so that the same frames make the
    same bytes.
    """
    coming = iter(frames)
    num_done = 0
    with (
        ThreadPoolExecutor(NUM_THREADS) as pool,
        zipfile.ZipFile(path, "w") as archive,  # stored: PNGs are compressed already
    ):
        while group := list(islice(coming, NUM_THREADS)):
            for data in pool.map(encode_png, group):
                archive.writestr(zipfile.ZipInfo(f"{num_done:04d}.png"), data)
                num_done += 1
            yield num_done
        if num_done == 0:
            raise ConfigError(NO_FRAMES)
        if text:
            archive.writestr(zipfile.ZipInfo(TEXT_FILE), text)


def encode_png(frame: np.ndarray) -> bytes:
    """Return a frame as the bytes of a PNG."""
    buffer = io.BytesIO()
    to_pillow(frame).save(buffer, "PNG")
    return buffer.getvalue()


def read_text(path: Path) -> str | None:
    """Return the text beside the PNGs of a zip; raises ValueError for a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            if TEXT_FILE not in archive.namelist():
                return None
            with archive.open(TEXT_FILE) as file:
                return file.read(MAX_TEXT_BYTES).decode("ascii", errors="replace")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ValueError(str(error)) from error


PNG_ZIP = AnimationFormat(
    name="PNG frames",
    suffix=".zip",
    about="a zip of single images, for editors",
    media="",
    get_ticks_per_second=lambda fps: fps,
    write=write_png_zip,
    is_mine=lambda head: head.startswith(b"PK\x03\x04"),
    read_text=read_text,
)
