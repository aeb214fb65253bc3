"""Frames to write, and animations read again by other libraries than those that wrote them."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image, ImageSequence


@dataclass
class Animation:
    """Hold what a file has: frames (T, H, W, 3), their durations in ms, and its loop entry."""

    frames: np.ndarray
    durations: list[int]
    loop: int | None = None


def make_frames(count: int, channels: int = 3, size: int = 32) -> np.ndarray:
    """Make frames of a smooth gradient that moves, all different."""
    ramp = np.arange(size)
    frames = np.empty((count, size, size, channels), np.uint8)
    for index in range(count):
        for channel in range(channels):
            wave = 128 + 90 * np.sin((ramp[:, None] + 2 * ramp + 9 * channel) / 20 + index / 5)
            frames[index, ..., channel] = wave
    return frames


def read_animation(path: Path) -> Animation:
    """Read an animated image, a video or a zip of PNGs by what its name says."""
    return {".mp4": read_video, ".zip": read_zip}.get(path.suffix, read_image)(path)


def read_image(path: Path) -> Animation:
    """Read with Pillow."""
    with Image.open(path) as image:
        frames, durations = [], []
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")))
            durations.append(round(frame.info["duration"]))
        return Animation(np.stack(frames), durations, image.info.get("loop"))


def read_video(path: Path) -> Animation:
    """Read with imageio; equal durations by the rate that the file states."""
    frames = iio.imread(path, plugin="pyav")
    rate = iio.immeta(path, plugin="pyav")["fps"]
    return Animation(frames, [round(1000 / rate)] * len(frames))


def read_zip(path: Path) -> Animation:
    """Read the PNGs of a zip in the order of their names."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        images = [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]
    return Animation(np.stack([np.asarray(image) for image in images]), [])
