"""Turn any image file into a square of uint8 pixels."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training.errors import DatasetError

# Transparent parts become mid-grey: pure white would drive a generator's Tanh into saturation.
MATTE = (128, 128, 128)


def decode_image(
    data: bytes,
    name: str,
    resolution: int,
    channels: int = 3,
    crop: tuple[int, int, int, int] | None = None,
) -> NDArray[np.uint8]:
    """Decode, turn upright, crop to a square and resize one image, uint8 (C, H, W).

    The resize is Lanczos, which averages over the source pixels when it shrinks. Raises
    DatasetError if the crop leaves the image; Pillow's errors (OSError, ValueError, SyntaxError,
    Image.DecompressionBombError) if the data cannot be decoded.
    """
    with warnings.catch_warnings():
        # Large photographs are fine; Pillow still refuses absurd sizes with an error.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        # Damaged EXIF or TIFF fields do not matter to the pixels.
        warnings.simplefilter("ignore", UserWarning)
        with Image.open(io.BytesIO(data)) as file:
            file.load()
            image = convert_mode(ImageOps.exif_transpose(file), channels)
    box = get_crop_box(image.size, name, crop)
    return to_array(resize_square(image, box, resolution))


def to_array(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of a grey or RGB image as uint8 (C, H, W)."""
    pixels = np.asarray(image, dtype=np.uint8)
    if pixels.ndim == 2:
        return pixels[None]  # (1, H, W)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (3, H, W)


def resize_square(
    image: Image.Image, box: tuple[int, int, int, int], resolution: int
) -> Image.Image:
    """Resize the box of an image to a square, antialiased."""
    return image.crop(box).resize((resolution, resolution), Image.Resampling.LANCZOS)


def get_crop_box(
    size: tuple[int, int], name: str, crop: tuple[int, int, int, int] | None
) -> tuple[int, int, int, int]:
    """Return the wanted box, or the centred square; raise DatasetError if it does not fit."""
    width, height = size
    if crop is None:
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return left, top, left + side, top + side
    if crop[2] > width or crop[3] > height:
        raise DatasetError(
            f"Crop {','.join(map(str, crop))} leaves the image {name}, which is {width} wide and "
            f"{height} high: choose a box inside of every image, or leave out --crop to take the "
            "centred square."
        )
    return crop


def convert_mode(image: Image.Image, channels: int) -> Image.Image:
    """Convert any Pillow mode to RGB (3 channels) or L (1), compositing alpha on mid-grey."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _reduce_depth(image)
    if image.has_transparency_data:
        matte = Image.new("RGBA", image.size, (*MATTE, 255))
        image = Image.alpha_composite(matte, image.convert("RGBA"))
    if image.mode == "P":
        image = image.convert("RGB")  # grey of a palette image is that of its colours
    return image.convert("RGB" if channels == 3 else "L")


def _reduce_depth(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float grey to 8 bit.

    16 bits and wider integers are read as 0..65535, floats as 0..1 (as 0..255 if one exceeds 1).
    """
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        values = np.nan_to_num(values)
        scale = 255.0 if values.max(initial=0.0) <= 1 else 1.0
    else:
        scale = 255 / 65535
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))
