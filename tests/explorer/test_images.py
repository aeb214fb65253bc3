"""Grids, enlarging and PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.images import make_grid, save_png, upscale
from training.errors import ConfigError


def make_images(count: int, channels: int = 3) -> np.ndarray:
    """Make images of 2 x 2 pixels whose every value is the index."""
    return np.stack([np.full((2, 2, channels), index, np.uint8) for index in range(count)])


def test_a_grid_is_filled_row_by_row() -> None:
    grid = make_grid(make_images(3, channels=1), columns=2, gap=1)[..., 0]
    assert grid.tolist() == [
        [0, 0, 255, 1, 1],
        [0, 0, 255, 1, 1],
        [255, 255, 255, 255, 255],
        [2, 2, 255, 255, 255],
        [2, 2, 255, 255, 255],
    ]


def test_fewer_images_than_columns_make_one_row() -> None:
    assert make_grid(make_images(2), columns=8, gap=0).shape == (2, 4, 3)


@pytest.mark.parametrize(("count", "columns"), [(0, 1), (1, 0)])
def test_an_empty_grid_is_refused(count: int, columns: int) -> None:
    with pytest.raises(ConfigError, match="at least one image"):
        make_grid(np.zeros((count, 2, 2, 3), np.uint8), columns)


def test_nearest_repeats_pixels() -> None:
    image = np.arange(16 * 16 * 3, dtype=np.uint32).astype(np.uint8).reshape(16, 16, 3)
    enlarged = upscale(image, 48, "nearest")
    assert np.array_equal(enlarged, image.repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.parametrize("channels", [1, 3])
def test_lanczos_is_smooth_and_keeps_flat_areas(channels: int) -> None:
    image = np.full((16, 16, channels), 90, np.uint8)
    image[:, 8:] = 190
    enlarged = upscale(image, 64, "lanczos")
    assert enlarged.shape == (64, 64, channels)
    assert set(enlarged[:, :16].flat) == {90}
    assert set(enlarged[:, 48:].flat) == {190}
    assert 120 < enlarged[0, 32, 0] < 160


def test_size_zero_keeps_the_image() -> None:
    image = make_images(1)[0]
    assert upscale(image, 0) is image


@pytest.mark.parametrize(("size", "method"), [(15, "lanczos"), (1025, "lanczos"), (64, "bicubic")])
def test_other_sizes_and_methods_are_refused(size: int, method: str) -> None:
    with pytest.raises(ConfigError, match=r"16 to 1024|lanczos, nearest"):
        upscale(make_images(1)[0], size, method)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_png_is_lossless(tmp_path: Path, channels: int, mode: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 7, channels), np.uint8)
    save_png(tmp_path / "folder" / "a.png", image)
    with Image.open(tmp_path / "folder" / "a.png") as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", mode, (7, 9))
        assert np.array_equal(np.asarray(picture).reshape(image.shape), image)
