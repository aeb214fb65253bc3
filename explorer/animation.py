"""Frames -> an animation that loops, with its recipe inside."""

from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from explorer.gif import NUM_THREADS, encode_gif
from explorer.images import upscale
from explorer.paths import find_stop_frames
from explorer.recipe import Recipe, check_fps, check_hold, format_gif_comment
from training.files import replace_atomically


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


def write_morph(
    path: Path, chunks: Iterable[np.ndarray], recipe: Recipe
) -> Generator[int, None, None]:
    """Write a recipe's morph as its frames come, in chunks (B, H, W, C), as `write_gif` does.

    It rests at the recipe's stops.
    """
    held = find_stop_frames(len(recipe.seeds), recipe.num_frames, recipe.is_ping_pong)
    frames = chain.from_iterable(chunks)
    return write_gif(path, frames, recipe.fps, recipe=recipe, held=held, hold=recipe.hold)


def save_gif(
    path: Path,
    frames: np.ndarray,
    fps: float,
    loop: int = 0,
    recipe: Recipe | None = None,
    held: Sequence[int] = (),
    hold: float = 0.0,
) -> float:
    """Write frames, uint8 (T, H, W, C), as `write_gif` does and return the real frame rate."""
    for _ in write_gif(path, frames, fps, loop, recipe, held, hold):
        pass
    return get_real_fps(fps)


def write_gif(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: float,
    loop: int = 0,
    recipe: Recipe | None = None,
    held: Sequence[int] = (),
    hold: float = 0.0,
) -> Generator[int, None, None]:
    """Write frames, uint8 (H, W, C) with C 1 or 3, as a GIF, yielding how many are written so far.

    The file is there once the iterator has ended; closed before, it leaves nothing. Delays are
    whole hundredths of a second: 30 frames per second become 33.3. ``loop`` counts repetitions, 0
    is for ever. Every frame has its own 256 colours, dithered, so that skin does not band. Frames
    that equal the one before are stored as a longer delay of that one: the file may hold fewer, but
    always plays for as many delays. The frames at the indices ``held`` stay for ``hold`` seconds
    (0 to 10) if that is longer. Raises ConfigError for an fps outside [1, 50], such a hold, or no
    frames.
    """
    delay = _get_delay(fps)
    held_delay = max(delay, round(100 * check_hold(hold)))
    places = frozenset(held)
    options: dict[str, Any] = {"comment": format_gif_comment(recipe) if recipe else b""}
    if loop != 1:  # without this entry viewers play once
        options["loop"] = 0 if loop == 0 else loop - 1

    def get_milliseconds(index: int) -> int:
        return 10 * (held_delay if index in places else delay)

    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        for num_done, data in encode_gif(frames, get_milliseconds, options):
            file.write(data)
            yield num_done


def _get_delay(fps: float) -> int:
    """Return the delay nearest to a frame rate, in hundredths of a second."""
    return max(2, round(100 / check_fps(fps)))
