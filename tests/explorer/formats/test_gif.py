"""GIF files, read again with Pillow and imageio."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from explorer.animation import save_animation
from tests.explorer.formats.reading import make_frames, read_animation


def test_imageio_reads_the_same(tmp_path: Path) -> None:
    save_animation(tmp_path / "a.gif", make_frames(5), fps=10)
    assert iio.imread(tmp_path / "a.gif").shape == (5, 32, 32, 3)
    expected = read_animation(tmp_path / "a.gif").frames
    assert np.array_equal(iio.imread(tmp_path / "a.gif"), expected)


def test_dithering_keeps_the_mean_colour_of_areas(tmp_path: Path) -> None:
    frames = make_frames(2, size=128)
    save_animation(tmp_path / "a.gif", frames, fps=10)
    found = read_animation(tmp_path / "a.gif").frames
    blocks = [x.reshape(2, 16, 8, 16, 8, 3).mean(axis=(2, 4)) for x in (found, frames)]
    assert np.abs(blocks[0] - blocks[1]).max() < 4  # a band would be off by its step, about 16


def test_grey_frames_are_exact(tmp_path: Path) -> None:
    frames = make_frames(4, channels=1)
    save_animation(tmp_path / "a.gif", frames, fps=10)
    found = read_animation(tmp_path / "a.gif").frames
    assert np.array_equal(found, frames.repeat(3, axis=-1))


def test_equal_frames_keep_their_time(tmp_path: Path) -> None:
    a, b = make_frames(2)
    save_animation(tmp_path / "a.gif", np.stack([a, a, b, b, b, a]), fps=20)
    found = read_animation(tmp_path / "a.gif")
    assert sum(found.durations) == 6 * 50
    assert found.durations == [100, 150, 50]
    assert len(found.frames) == 3


def test_frames_that_are_all_equal_keep_their_time(tmp_path: Path) -> None:
    save_animation(tmp_path / "a.gif", make_frames(1).repeat(7, axis=0), fps=20)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["duration"] == 7 * 50
