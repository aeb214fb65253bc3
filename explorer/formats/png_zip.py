"""A zip of PNGs: single frames for editors, with the recipe as a text beside them."""

import io
import zipfile
import zlib
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
MAX_TEXT_BYTES = 1_000_000
READ_TYPES = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # archivers may have packed it again


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
        path.open("wb") as file,
        zipfile.ZipFile(file, "w") as archive,  # stored: PNGs are compressed already
    ):
        while group := list(islice(coming, NUM_THREADS)):
            for data in pool.map(compress, group):
                archive.writestr(zipfile.ZipInfo(f"{num_done:04d}.png"), data)
                num_done += 1
            yield num_done
        if num_done == 0:
            raise ConfigError(NO_FRAMES)
        if text:
            archive.writestr(zipfile.ZipInfo(TEXT_FILE), text)


def compress(frame: np.ndarray) -> bytes:
    """Return the PNG of a frame."""
    buffer = io.BytesIO()
    to_pillow(frame).save(buffer, "PNG")
    return buffer.getvalue()


def read_text(path: Path) -> str | None:
    """Return the text beside the PNGs of a zip; raises ValueError for a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            if TEXT_FILE not in archive.namelist():
                return None
            entry = archive.getinfo(TEXT_FILE)
            # Of other kinds a few bytes could become any number of them.
            if entry.compress_type not in READ_TYPES or entry.file_size > MAX_TEXT_BYTES:
                raise ValueError(f"{TEXT_FILE} is no text of this program")
            with archive.open(entry) as file:
                return file.read(MAX_TEXT_BYTES).decode("ascii", errors="replace")
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError),
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise ValueError(str(error)) from error


PNG_ZIP = AnimationFormat(
    name="PNG frames",
    suffix=".zip",
    about="a zip of single images, for editors",
    media="",
    get_ticks_per_second=lambda fps: fps,
    write=write_png_zip,
    recognises=lambda head: head.startswith(b"PK\x03\x04"),
    read_text=read_text,
)
