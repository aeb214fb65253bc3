"""Time a 60-frame morph at 256 px: latents, generator, enlarging, writing the GIF file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measurement import Context, Goal, Measurement, time_runs
from benchmarks.sampling import open_sampler

NUM_FRAMES, SIZE, FPS = 60, 256, 30
GOAL_SECONDS = 1.5


def run_animation(context: Context) -> Iterator[Measurement]:
    """Measure the seconds from two seeds to a GIF on disk."""
    from explorer.animation import resize_frames, save_gif
    from explorer.paths import build_path

    with open_sampler(context) as (sampler, model), tempfile.TemporaryDirectory() as folder:

        def make_gif(call: int) -> None:
            ends = sampler.make_latents(model, [2 * call, 2 * call + 1])
            path = build_path(ends, NUM_FRAMES, "slerp")
            frames = resize_frames(sampler.sample_images(model, path), SIZE, "lanczos")
            save_gif(Path(folder) / f"{call}.gif", frames, FPS)

        seconds = time_runs(make_gif, num_runs=context.choose_runs(9, 2))
        what = f"{NUM_FRAMES} frames, {SIZE} px, {model}"
        yield Measurement(what, "s", seconds, Goal(GOAL_SECONDS))
