"""Pixels that come out of image files, computed by hand."""

import io

import numpy as np
import pytest
from PIL import Image

from training.datasets.decode import decode_image
from training.errors import DatasetError


def encode(image: Image.Image, format: str = "png", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def make_gradient(width: int, height: int) -> np.ndarray:
    """Every pixel tells its place: red is 10 x, green is 10 y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([10 * x, 10 * y, np.full_like(x, 7)], axis=-1).astype(np.uint8)


def decode_pixel(image: Image.Image, channels: int = 3, format: str = "png") -> list[int]:
    """Decode an image of one colour and return that colour."""
    pixels = decode_image(encode(image, format), "x", 8, channels)
    assert pixels.shape == (channels, 8, 8)
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[:, :1, :1]).all()
    return pixels[:, 0, 0].tolist()


def test_crop_takes_exactly_the_box():
    pixels = make_gradient(14, 12)
    decoded = decode_image(encode(Image.fromarray(pixels)), "x", 8, crop=(3, 2, 11, 10))
    assert np.array_equal(decoded, pixels[2:10, 3:11].transpose(2, 0, 1))


@pytest.mark.parametrize(("width", "height"), [(14, 8), (8, 13)])
def test_without_crop_the_centred_square_is_taken(width, height):
    pixels = make_gradient(width, height)
    left, top = (width - 8) // 2, (height - 8) // 2
    decoded = decode_image(encode(Image.fromarray(pixels)), "x", 8)
    assert np.array_equal(decoded, pixels[top : top + 8, left : left + 8].transpose(2, 0, 1))


@pytest.mark.parametrize("size", [8, 9, 50])
def test_one_colour_stays_that_colour_at_any_size(size):
    assert decode_pixel(Image.new("RGB", (size, size), (12, 200, 77))) == [12, 200, 77]


def test_shrinking_averages_and_does_not_pick_pixels():
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    decoded = decode_image(encode(Image.fromarray(board)), "x", 8, channels=1)
    assert np.abs(decoded.astype(float) - 127.5).max() <= 3


def test_alpha_is_composited_on_mid_grey():
    # A fifth of red on four fifths of 128: 0.2 * 255 + 0.8 * 128 = 153.4; 0.8 * 128 = 102.4.
    assert decode_pixel(Image.new("RGBA", (8, 8), (255, 0, 0, 51))) == [153, 102, 102]
    assert decode_pixel(Image.new("RGBA", (8, 8), (9, 9, 9, 0))) == [128, 128, 128]
    assert decode_pixel(Image.new("LA", (8, 8), (200, 255))) == [200, 200, 200]


def test_transparent_palette_entry_becomes_mid_grey():
    image = Image.new("P", (8, 8), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    assert decode_pixel(image) == [255, 0, 0]
    image.info["transparency"] = 0
    assert decode_pixel(image) == [128, 128, 128]


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (257 * 128, 128), (65535, 255)])
def test_16_bit_grey_is_scaled(value, expected):
    image = Image.fromarray(np.full((8, 8), value, np.uint16))
    assert decode_pixel(image) == [expected] * 3
    assert decode_pixel(image, channels=1, format="tiff") == [expected]


@pytest.mark.parametrize(("value", "expected"), [(0.5, 128), (1.0, 255), (200.0, 200)])
def test_float_grey_is_scaled(value, expected):
    image = Image.fromarray(np.full((8, 8), value, np.float32))
    assert decode_pixel(image, channels=1, format="tiff") == [expected]


def test_cmyk_and_black_and_white():
    assert decode_pixel(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), format="tiff") == [255, 0, 0]
    assert decode_pixel(Image.new("1", (8, 8), 1)) == [255, 255, 255]


def test_grey_of_red_is_its_luma():
    # ITU-R 601: 0.299 * 255 = 76.2.
    assert decode_pixel(Image.new("RGB", (8, 8), (255, 0, 0)), channels=1) == [76]
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([255, 0, 0])
    assert decode_pixel(palette, channels=1) == [76]


def test_exif_orientation_turns_the_image_upright():
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = (255, 0, 0)  # red above black
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned right by a quarter: the upper half comes to the right
    decoded = decode_image(encode(Image.fromarray(pixels), exif=exif), "x", 8)
    assert (decoded[0, :, 4:] == 255).all()
    assert (decoded[:, :, :4] == 0).all()


def test_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (8, 8), color) for color in ((255, 0, 0), (0, 0, 255))]
    data = encode(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert decode_image(data, "x", 8)[:, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("crop", [(0, 0, 9, 9), (1, 0, 9, 8), (0, 3, 8, 11)])
def test_crop_outside_of_the_image_is_refused(crop):
    data = encode(Image.new("RGB", (8, 10)))
    with pytest.raises(DatasetError, match=r"face\.png, which is 8 wide and 10 high"):
        decode_image(data, "face.png", 8, crop=crop)
