"""WebP: all colours at a fraction of a GIF's size, in every browser."""

import io
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from explorer.formats.base import AnimationFormat, Timing, pack_text, unpack_text
from explorer.formats.ffmpeg import Encoding, encode_frames

TICKS_PER_SECOND = 1000
# With an alpha channel libwebp would keep pixels of the frame before that are nearly right, which
# leaves ghosts behind what moves.
ENCODING = Encoding("webp", "libwebp_anim", "yuv420p", {"quality": "90"}, {"loop": "0"})
IMAGE_DESCRIPTION = 0x010E  # the EXIF entry
EXIF_FLAG = 8  # of the VP8X chunk
DURATION = slice(12, 15)  # in an ANMF chunk

Chunk = tuple[bytes, bytes]  # name and content


def write_webp(
    path: Path, frames: Iterable[np.ndarray], timing: Timing, text: str
) -> Iterator[int]:
    """Write frames as `Writer` says, as a lossy WebP that loops for ever; the text is in its EXIF.

    Equal frames in a row are stored as one, shown for as long.
    """

    def count_ticks(index: int) -> int:
        return timing.count_ticks(index, TICKS_PER_SECOND)

    raw = io.BytesIO()  # all there is only comes at the end
    ticks = yield from encode_frames(raw, frames, ENCODING, count_ticks, TICKS_PER_SECOND)
    chunks = read_chunks(raw.getvalue())
    path.write_bytes(join_chunks(set_text(set_duration(chunks, sum(ticks)), text)))


def set_duration(chunks: list[Chunk], total: int) -> list[Chunk]:
    """Return the chunks of a WebP with a last frame that ends after ``total`` milliseconds.

    Its encoder gives that frame the mean of the others' durations.
    """
    places = [index for index, (name, _) in enumerate(chunks) if name == b"ANMF"]
    if not places:  # all frames were equal: a still image
        return chunks
    before = sum(int.from_bytes(chunks[place][1][DURATION], "little") for place in places[:-1])
    content = bytearray(chunks[places[-1]][1])
    content[DURATION] = (total - before).to_bytes(3, "little")
    return [*chunks[: places[-1]], (b"ANMF", bytes(content)), *chunks[places[-1] + 1 :]]


def set_text(chunks: list[Chunk], text: str) -> list[Chunk]:
    """Return the chunks of a WebP with a text as the description in its EXIF."""
    if not text:
        return chunks
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = pack_text(text)
    head, *rest = chunks if chunks[0][0] == b"VP8X" else [make_head(chunks), *chunks]
    content = bytes([head[1][0] | EXIF_FLAG]) + head[1][1:]
    return [(b"VP8X", content), *rest, (b"EXIF", exif.tobytes().removeprefix(b"Exif\0\0"))]


def make_head(chunks: list[Chunk]) -> Chunk:
    """Return the head that a still image does without as long as nothing goes along with it."""
    with Image.open(io.BytesIO(join_chunks(chunks))) as image:
        width, height = image.size
    return b"VP8X", bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(
        3, "little"
    )


def read_chunks(data: bytes) -> list[Chunk]:
    """Read the chunks of a WebP (RFC 9649, 2024)."""
    chunks, place = [], 12
    while place < len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        chunks.append((name, data[place + 8 : place + 8 + size]))
        place += 8 + size + size % 2
    return chunks


def join_chunks(chunks: list[Chunk]) -> bytes:
    """Return the WebP of chunks, each padded to an even length."""
    parts = [
        struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2)
        for name, content in chunks
    ]
    body = b"WEBP" + b"".join(parts)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def read_text(path: Path) -> str | None:
    """Return the text in the EXIF of a WebP."""
    with Image.open(path, formats=["WEBP"]) as image:
        return unpack_text(str(image.getexif().get(IMAGE_DESCRIPTION, "")))


WEBP = AnimationFormat(
    name="WebP",
    suffix=".webp",
    about="all colours, a seventh of a GIF's size; for web pages",
    media="image",
    get_ticks_per_second=lambda fps: TICKS_PER_SECOND,
    write=write_webp,
    recognises=lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    read_text=read_text,
)
