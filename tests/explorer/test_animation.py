"""GIF files, read again with Pillow and imageio."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image, ImageSequence

from explorer.animation import get_real_fps, resize_frames, save_gif, write_morph
from explorer.recipe import Recipe
from training.errors import ConfigError


def make_frames(count: int, channels: int = 3, size: int = 32) -> np.ndarray:
    """Make frames of a smooth gradient that moves, all different."""
    ramp = np.arange(size)
    frames = np.empty((count, size, size, channels), np.uint8)
    for index in range(count):
        for channel in range(channels):
            wave = 128 + 90 * np.sin((ramp[:, None] + 2 * ramp + 9 * channel) / 20 + index / 5)
            frames[index, ..., channel] = wave
    return frames


def read_gif(path: Path) -> tuple[list[np.ndarray], list[int], int | None]:
    """Return a GIF's frames as RGB arrays, their delays in ms, and its loop entry."""
    with Image.open(path) as image:
        frames, delays, loop = [], [], image.info.get("loop")
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")))
            delays.append(frame.info["duration"])
    return frames, delays, loop


def test_every_frame_is_there_in_order(tmp_path: Path) -> None:
    frames = make_frames(12)
    assert save_gif(tmp_path / "a.gif", frames, fps=25) == 25
    found, delays, loop = read_gif(tmp_path / "a.gif")
    assert len(found) == 12
    assert delays == [40] * 12
    assert loop == 0
    assert found[0].shape == (32, 32, 3)
    errors = [[np.abs(a.astype(int) - b).mean() for b in frames] for a in found]  # (found, written)
    assert np.argmin(errors, axis=1).tolist() == list(range(12))
    assert np.diag(errors).max() < 4  # 256 colours, dithered


def test_imageio_reads_the_same(tmp_path: Path) -> None:
    save_gif(tmp_path / "a.gif", make_frames(5), fps=10)
    assert iio.imread(tmp_path / "a.gif").shape == (5, 32, 32, 3)
    assert np.array_equal(iio.imread(tmp_path / "a.gif"), np.stack(read_gif(tmp_path / "a.gif")[0]))


def test_dithering_keeps_the_mean_colour_of_areas(tmp_path: Path) -> None:
    frames = make_frames(2, size=128)
    save_gif(tmp_path / "a.gif", frames, fps=10)
    found = np.stack(read_gif(tmp_path / "a.gif")[0])
    blocks = [x.reshape(2, 16, 8, 16, 8, 3).mean(axis=(2, 4)) for x in (found, frames)]
    assert np.abs(blocks[0] - blocks[1]).max() < 4  # a band would be off by its step, about 16


def test_grey_frames_are_exact(tmp_path: Path) -> None:
    frames = make_frames(4, channels=1)
    save_gif(tmp_path / "a.gif", frames, fps=10)
    found = read_gif(tmp_path / "a.gif")[0]
    assert np.array_equal(np.stack(found), frames.repeat(3, axis=-1))


def test_equal_frames_keep_their_time(tmp_path: Path) -> None:
    a, b = make_frames(2)
    save_gif(tmp_path / "a.gif", np.stack([a, a, b, b, b, a]), fps=20)
    found, delays, _ = read_gif(tmp_path / "a.gif")
    assert sum(delays) == 6 * 50
    assert delays == [100, 150, 50]
    assert len(found) == 3


def test_frames_that_are_all_equal_keep_their_time(tmp_path: Path) -> None:
    save_gif(tmp_path / "a.gif", make_frames(1).repeat(7, axis=0), fps=20)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["duration"] == 7 * 50


@pytest.mark.parametrize(
    ("hold", "held"), [(0, 50), (0.03, 50), (0.3, 300), (0.456, 460), (10, 10_000)]
)
def test_frames_are_held_for_so_long_if_that_is_longer(
    tmp_path: Path, hold: float, held: int
) -> None:
    save_gif(tmp_path / "a.gif", make_frames(4), fps=20, held=(0, 3), hold=hold)
    assert read_gif(tmp_path / "a.gif")[1] == [held, 50, 50, held]


def test_a_morph_rests_at_its_stops_and_equal_frames_keep_that_time(tmp_path: Path) -> None:
    recipe = Recipe(
        "interpolation", "m", "0" * 32, (1, 2, 3), num_frames=5, fps=20, is_ping_pong=True, hold=0.2
    )
    frames = make_frames(8)
    list(write_morph(tmp_path / "a.gif", [frames], recipe))
    # 1 . 2 . 3 . 2 . and from the beginning.
    assert read_gif(tmp_path / "a.gif")[1] == [200, 50, 200, 50, 200, 50, 200, 50]
    frames[2] = frames[1]
    list(write_morph(tmp_path / "a.gif", [frames], recipe))
    assert read_gif(tmp_path / "a.gif")[1] == [200, 250, 50, 200, 50, 200, 50]


@pytest.mark.parametrize("hold", [-0.1, 10.1, float("nan")])
def test_holds_outside_are_refused(tmp_path: Path, hold: float) -> None:
    with pytest.raises(ConfigError, match="choose 0 to 10"):
        save_gif(tmp_path / "a.gif", make_frames(2), 20, held=(0,), hold=hold)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fps", "real"), [(1, 1), (10, 10), (24, 25), (25, 25), (30, 100 / 3), (33, 100 / 3), (50, 50)]
)
def test_the_real_frame_rate_is_told(tmp_path: Path, fps: float, real: float) -> None:
    assert get_real_fps(fps) == pytest.approx(real)
    assert save_gif(tmp_path / "a.gif", make_frames(2), fps) == pytest.approx(real)
    assert read_gif(tmp_path / "a.gif")[1] == [round(1000 / real / 10) * 10] * 2


@pytest.mark.parametrize(("loop", "entry"), [(0, 0), (1, None), (3, 2)])
def test_repetitions_are_counted(tmp_path: Path, loop: int, entry: int | None) -> None:
    save_gif(tmp_path / "a.gif", make_frames(2), fps=10, loop=loop)
    assert read_gif(tmp_path / "a.gif")[2] == entry


@pytest.mark.parametrize("fps", [0, 0.5, 51, float("nan")])
def test_frame_rates_outside_are_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(ConfigError, match="1 to 50"):
        save_gif(tmp_path / "a.gif", make_frames(2), fps)
    assert not list(tmp_path.iterdir())


def test_no_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one frame"):
        save_gif(tmp_path / "a.gif", make_frames(2)[:0], fps=10)


def test_frames_are_resized_one_by_one() -> None:
    frames = make_frames(5)
    doubled = resize_frames(frames, 64, "nearest")
    assert np.array_equal(doubled, frames.repeat(2, axis=1).repeat(2, axis=2))
    assert resize_frames(frames, 0) is frames
    assert resize_frames(frames, 48).shape == (5, 48, 48, 3)
