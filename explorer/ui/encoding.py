"""Pixels -> what the page can show: data URIs and sprites."""

import base64
import io

import numpy as np

from explorer.formats.base import to_pillow

SPRITE_COLUMNS = 8
# Only shown while the hand moves; the frame at rest is a PNG.
SPRITE_QUALITY = 95


def encode_png(image: np.ndarray) -> str:
    """Encode an image, uint8 (H, W, C), losslessly as a data URI."""
    return _encode(image, "PNG", compress_level=1)


def encode_sprite(frames: np.ndarray) -> str:
    """Encode frames, uint8 (T, H, W, C), row by row into one JPEG, as a data URI."""
    count, height, width, channels = frames.shape
    rows = -(-count // SPRITE_COLUMNS)
    sprite = np.zeros((rows * height, SPRITE_COLUMNS * width, channels), np.uint8)
    for index, frame in enumerate(frames):
        top, left = index // SPRITE_COLUMNS * height, index % SPRITE_COLUMNS * width
        sprite[top : top + height, left : left + width] = frame
    return _encode(sprite, "JPEG", quality=SPRITE_QUALITY, subsampling=0)


def _encode(image: np.ndarray, format_: str, **options: int) -> str:
    buffer = io.BytesIO()
    to_pillow(image).save(buffer, format=format_, **options)
    return pack_image(buffer.getvalue(), format_)


def pack_image(data: bytes, format_: str = "PNG") -> str:
    """Pack the bytes of an image file into a data URI."""
    text = base64.b64encode(data).decode("ascii")
    return f"data:image/{format_.lower()};base64,{text}"
