"""The bytes of a GIF as its frames come, against those of Pillow given all frames at once."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer.animation import save_animation
from explorer.formats.base import NUM_THREADS
from explorer.formats.gif_frames import encode_gif, reduce_colours
from training.errors import ConfigError


def make_noise(count: int, size: int = 24, channels: int = 3) -> np.ndarray:
    """Make frames of which each has about as many colours as pixels."""
    return np.random.default_rng(0).integers(0, 256, (count, size, size, channels), np.uint8)


def make_moving_square(count: int) -> np.ndarray:
    """Make frames of few colours that differ in a part only, each twice in a row."""
    frames = np.full((count, 40, 40, 3), (200, 180, 10), np.uint8)
    for index, frame in enumerate(frames):
        place = 3 * (index // 2) % 30
        frame[5:12, place : place + 6] = (10, 20 + index // 2, 240)
    return frames


FRAMES = {
    "noise": make_noise(7),
    "noise that comes back": make_noise(3)[[0, 1, 1, 1, 2, 0, 0, 2, 2]],
    "all equal": make_noise(1).repeat(9, axis=0),
    "equal at the end": make_noise(2)[[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
    "a moving square": make_moving_square(14),
    "grey": make_noise(6, channels=1),
    "grey of few values": make_noise(6, channels=1) // 64,
    "tiny": make_noise(5, size=8),
    "one": make_noise(1),
}


def write_at_once(frames: np.ndarray, delays: list[int], options: dict[str, Any]) -> bytes:
    """Let Pillow write all frames, reduced to their colours, in one call."""
    first, *others = (
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        for pixels in (reduce_colours(frame).pixels for frame in frames)
    )
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=delays, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("options", [{"comment": b"made of z", "loop": 0}, {}])
def test_the_bytes_are_those_of_all_frames_at_once(name: str, options: dict[str, Any]) -> None:
    frames = FRAMES[name]
    delays = [300 if index in (0, len(frames) - 1) else 40 for index in range(len(frames))]
    parts = list(encode_gif(frames, delays.__getitem__, options))
    data = b"".join(part for _, part in parts)
    assert data == write_at_once(frames, delays, options)
    assert [done for done, _ in parts][-2:] == [len(frames)] * 2


@pytest.mark.usefixtures("short_collections")
def test_only_a_few_frames_are_held_however_many_there_are() -> None:
    made: list[weakref.ref[np.ndarray]] = []

    def come() -> Iterator[np.ndarray]:
        for frame in make_noise(60):
            copy = frame.copy()
            made.append(weakref.ref(copy))
            yield copy

    for done, _ in encode_gif(come(), lambda index: 40, {}):
        gc.collect()
        assert len(made) == done  # none is asked for ahead of time
        assert sum(frame() is not None for frame in made) <= NUM_THREADS + 2


def test_an_image_that_would_stand_for_too_long_is_refused(tmp_path: Path) -> None:
    frames = np.zeros((600, 16, 16, 3), np.uint8)
    save_animation(tmp_path / "a.gif", frames, 1.0)  # 600 seconds
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["duration"] == 600_000
    with pytest.raises(ConfigError, match="more than 10 minutes"):
        save_animation(tmp_path / "b.gif", np.concatenate([frames, frames]), 1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
