"""Frames -> an animation that loops, with its recipe inside."""

from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from explorer.formats import get_format
from explorer.formats.base import NUM_THREADS, Timing
from explorer.images import upscale
from explorer.recipe import Recipe, check_fps, check_hold
from training.files import replace_atomically


def resize_frames(frames: np.ndarray, size: int, method: str = "lanczos") -> np.ndarray:
    """Resize square frames, uint8 (T, H, W, C) -> (T, size, size, C); 0 keeps them as they are.

    ``size`` and ``method`` as in `explorer.images.upscale`.
    """
    if size == 0 or len(frames) == 0:
        return frames
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return np.stack(list(pool.map(lambda frame: upscale(frame, size, method), frames)))


def save_animation(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: float,
    recipe: Recipe | None = None,
    held: Sequence[int] = (),
    hold: float = 0.0,
) -> float:
    """Write frames as `write_animation` does and return the frame rate that the file has."""
    for _ in write_animation(path, frames, fps, recipe, held, hold):
        pass
    return get_format(path).get_real_fps(fps)


def write_animation(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: float,
    recipe: Recipe | None = None,
    held: Sequence[int] = (),
    hold: float = 0.0,
) -> Generator[int, None, None]:
    """Write frames, uint8 (H, W, C) with C 1 or 3, yielding how many are written so far.

    The path's suffix chooses one of FORMATS. The file is there once the iterator has ended; closed
    before, it leaves nothing. Where the format has no delay of 1 / ``fps`` the nearest is taken: of
    a GIF, in whole hundredths of a second, 30 frames per second become 33.3. The frames at the
    indices ``held`` stay for ``hold`` seconds (0 to 10) if that is longer. Raises ConfigError for
    an unknown suffix, an fps outside [1, 50], such a hold, no frames, or frames that the format
    cannot hold.
    """
    animation_format = get_format(path)
    timing = Timing(check_fps(fps), frozenset(held), check_hold(hold))
    text = recipe.to_json() if recipe else ""
    with replace_atomically(path) as temporary:
        yield from animation_format.write(temporary, frames, timing, text)
