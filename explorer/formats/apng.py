"""APNG: every pixel as the model made it, at many times the size."""

import os
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from explorer.formats.base import TEXT_KEY, AnimationFormat, Timing
from explorer.formats.ffmpeg import Encoding, encode_frames

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TICKS_PER_SECOND = 1000
ENCODING = Encoding("apng", "apng", "rgb24", container_options={"plays": "0"})
DELAY = slice(20, 24)  # in an fcTL chunk: numerator and denominator of seconds, two bytes each

Chunk = tuple[bytes, bytes]  # name and content


def write_apng(
    path: Path, frames: Iterable[np.ndarray], timing: Timing, text: str
) -> Iterator[int]:
    """Write frames as `Writer` says, losslessly and to loop for ever, with the text in a chunk."""

    def count_ticks(index: int) -> int:
        return timing.count_ticks(index, TICKS_PER_SECOND)

    with tempfile.TemporaryFile(dir=path.parent) as raw:
        ticks = yield from encode_frames(raw, frames, ENCODING, count_ticks, TICKS_PER_SECOND)
        with path.open("wb") as file:
            for part in finish(raw, ticks[-1], text):
                file.write(part)


def finish(raw: IO[bytes], last: int, text: str) -> Iterator[bytes]:
    """Yield an APNG with its text, and with its last frame shown ``last`` milliseconds.

    FFmpeg shows that one as long as the one before.
    """
    num_left = sum(name == b"fcTL" for name, _ in read_chunks(raw))
    yield SIGNATURE
    for name, content in read_chunks(raw):
        num_left -= name == b"fcTL"
        if name == b"fcTL" and num_left == 0:
            content = (
                content[: DELAY.start]
                + struct.pack(">HH", last, TICKS_PER_SECOND)
                + content[DELAY.stop :]
            )
        yield join_chunk(name, content)
        if name == b"IHDR" and text:
            yield join_chunk(b"tEXt", f"{TEXT_KEY}\0{text}".encode("ascii"))


def read_chunks(file: IO[bytes]) -> Iterator[Chunk]:
    """Read the chunks of a PNG (ISO/IEC 15948) from its beginning."""
    file.seek(len(SIGNATURE))
    while head := file.read(8):
        size, name = struct.unpack(">I4s", head)
        yield name, file.read(size)
        file.seek(4, os.SEEK_CUR)  # the checksum


def join_chunk(name: bytes, content: bytes) -> bytes:
    """Return the bytes of a chunk."""
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I4s", len(content), name) + content + struct.pack(">I", checksum)


def read_text(path: Path) -> str | None:
    """Return the text in a chunk of a PNG, animated or not."""
    with Image.open(path, formats=["PNG"]) as image:
        text = image.info.get(TEXT_KEY)
        return text if isinstance(text, str) else None


APNG = AnimationFormat(
    name="APNG",
    suffix=".apng",
    about="every pixel exact, the largest; plays in browsers",
    media="image",
    get_ticks_per_second=lambda fps: TICKS_PER_SECOND,
    write=write_apng,
    recognises=lambda head: head.startswith(SIGNATURE),
    read_text=read_text,
)
