"""Frames -> an animation that loops, with its recipe inside."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from PIL import Image

from explorer.images import to_pillow, upscale
from explorer.paths import find_stop_frames
from explorer.recipe import Recipe, check_fps, check_hold, format_gif_comment
from training.cores import count_usable_cores
from training.errors import ConfigError
from training.files import write_atomically

NUM_THREADS = min(4, count_usable_cores())  # Pillow's inner loops release the interpreter lock


def resize_frames(frames: np.ndarray, size: int, method: str = "lanczos") -> np.ndarray:
    """Resize square frames, uint8 (T, H, W, C) -> (T, size, size, C); 0 keeps them as they are.

    ``size`` and ``method`` as in `explorer.images.upscale`.
    """
    if size == 0 or len(frames) == 0:
        return frames
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return np.stack(list(pool.map(lambda frame: upscale(frame, size, method), frames)))


def get_real_fps(fps: float) -> float:
    """Return the frame rate a GIF can have: its delays are whole hundredths of a second."""
    return 100 / _get_delay(fps)


def save_morph(path: Path, frames: np.ndarray, recipe: Recipe) -> float:
    """Write the frames of a recipe's morph as a GIF that rests at its stops; see `save_gif`."""
    held = find_stop_frames(len(recipe.seeds), recipe.num_frames, recipe.is_ping_pong)
    return save_gif(path, frames, recipe.fps, recipe=recipe, held=held, hold=recipe.hold)


def save_gif(
    path: Path,
    frames: np.ndarray,
    fps: float,
    loop: int = 0,
    recipe: Recipe | None = None,
    held: Sequence[int] = (),
    hold: float = 0.0,
) -> float:
    """Write frames, uint8 (T, H, W, C) with C 1 or 3, as a GIF and return its real frame rate.

    Delays are whole hundredths of a second: 30 frames per second become 33.3. ``loop`` counts
    repetitions, 0 is for ever. Every frame has its own 256 colours, dithered, so that skin does
    not band. Frames that equal the one before are stored as a longer delay of that one: the file
    may hold fewer than T, but always plays for T delays. The frames at the indices ``held`` stay
    for ``hold`` seconds (0 to 10) if that is longer. Raises ConfigError for an fps outside [1, 50],
    such a hold, or no frames.
    """
    if len(frames) == 0:
        raise ConfigError("An animation needs at least one frame, found none.")
    delay = _get_delay(fps)
    delays = [delay] * len(frames)
    for index in held:
        delays[index] = max(delay, round(100 * check_hold(hold)))
    colours = _reduce_colours(frames)
    options: dict[str, Any] = {
        "duration": [10 * hundredths for hundredths in delays],
        "comment": format_gif_comment(recipe) if recipe else b"",
    }
    if loop != 1:  # without this entry viewers play once
        options["loop"] = 0 if loop == 0 else loop - 1
    write_atomically(
        path,
        lambda temporary: iio.imwrite(
            temporary, colours, plugin="pillow", extension=".gif", is_batch=True, **options
        ),
    )
    return 100 / delay


def _get_delay(fps: float) -> int:
    """Return the delay nearest to a frame rate, in hundredths of a second."""
    return max(2, round(100 / check_fps(fps)))


def _reduce_colours(frames: np.ndarray) -> np.ndarray:
    """Reduce each colour frame to 256 colours of its own, (T, H, W, 3); grey ones fit as they are.

    An octree palette with Floyd-Steinberg dithering. Pillow's default for GIFs, median cut
    without dithering, takes 12 times as long, bands, and turns small areas of colour (lips) into
    that of their surroundings; on at most 256 colours it is exact, so writing changes nothing.
    """
    if frames.shape[-1] == 1:
        return frames[..., 0]
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return np.stack(list(pool.map(_dither, frames)))


def _dither(frame: np.ndarray) -> np.ndarray:
    image = to_pillow(frame)
    palette = image.quantize(256, method=Image.Quantize.FASTOCTREE)
    return np.asarray(image.quantize(palette=palette).convert("RGB"))
