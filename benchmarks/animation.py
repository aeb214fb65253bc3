"""Time a 60-frame morph at 256 px: latents, generator, enlarging, writing the file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.measurement import Context, Goal, Measurement, time_runs
from benchmarks.sampling import open_sampler

NUM_FRAMES, SIZE, FPS = 60, 256, 30
GOAL_SECONDS = 1.5


def run_animation(context: Context) -> Iterator[Measurement]:
    """Measure the seconds from two seeds to a file on disk, and its size, for every format."""
    from explorer.animation import resize_frames, save_animation
    from explorer.formats import FORMATS
    from explorer.paces import place_evenly
    from explorer.paths import follow_path

    with open_sampler(context) as (sampler, model), tempfile.TemporaryDirectory() as folder:

        def make(suffix: str, sizes: list[float], call: int) -> None:
            ends = sampler.make_latents(model, [2 * call, 2 * call + 1])
            path = follow_path(ends, place_evenly(NUM_FRAMES, len(ends)))
            frames = resize_frames(sampler.sample_images(model, path), SIZE, "lanczos")
            made = Path(folder) / f"{call}{suffix}"
            save_animation(made, frames, FPS)
            sizes.append(made.stat().st_size / 1e6)

        what = f"{NUM_FRAMES} frames, {SIZE} px, {model}"
        for suffix, made in FORMATS.items():
            sizes: list[float] = []
            runs = context.choose_runs(9, 2)
            seconds = time_runs(partial(make, suffix, sizes), num_runs=runs)
            goal = Goal(GOAL_SECONDS) if suffix == ".gif" else None
            yield Measurement(f"{made.name}: {what}", "s", seconds, goal)
            yield Measurement(f"{made.name}, size: {what}", "MB", tuple(sizes[-runs:]))
