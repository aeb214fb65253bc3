"""What the Interpolate tab and the public endpoints both do: a frame, a preview, an animation."""

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from explorer.formats import FORMATS
from explorer.labels import Rows
from explorer.latents import parse_through
from explorer.paths import check_num_frames, fit_frames
from explorer.recipe import Recipe, check_hold, is_closed_way
from explorer.replay import RecipeImages, count_images, get_edge, render_recipe, write_morph
from explorer.ui.context import AppContext
from explorer.ui.errors import check_whole
from training.errors import ConfigError

PREVIEW_FRAMES = 61  # at least: every stop has one of its own


@dataclass(frozen=True)
class ExportStep:
    """Report an export on its way: frames written, frames in all, and at the end the file.

    With ``is_placing`` these are images that are compared to place the frames. ``num_ahead`` is how
    many other exports have to end before it starts, None where that is what it was.
    """

    done: int
    total: int
    num_ahead: int | None = 0
    is_placing: bool = False
    path: Path | None = None
    fps: float = 0.0


def build_recipe(
    context: AppContext,
    model: str | None,
    seeds: tuple[int, ...],
    method: str,
    truncation: float,
    labels: Rows = (),
) -> Recipe:
    """Build the recipe of a morph through stops, as the page previews it; raises ConfigError."""
    name = check_model(context, model)
    legs = max(1, len(seeds) - 1)
    return Recipe(
        kind="interpolation",
        model=name,
        checkpoint=context.library.get_fingerprint(name),
        seeds=seeds,
        truncation=truncation,
        labels=labels,
        method=method,
        num_frames=legs * math.ceil((PREVIEW_FRAMES - 1) / legs) + 1,
    )


def check_model(context: AppContext, model: str | None) -> str:
    """Return the chosen model; raises ConfigError that says why there is none."""
    if not model:
        raise ConfigError(context.library.message or "No model is chosen: choose one.")
    return model


def check_way(seed_a: Any, seed_b: Any, through: str) -> tuple[int, ...]:
    """Return the seeds of a morph: A, those it passes on its way, B; raises ConfigError."""
    first, last = check_whole(seed_a, "Seed A"), check_whole(seed_b, "Seed B")
    return first, *parse_through(through), last


def render_preview(context: AppContext, recipe: Recipe) -> np.ndarray:
    """Render the whole path in the model's own resolution, uint8 (T, H, W, C)."""
    return render_recipe(recipe, context.sampler)


def render_still(context: AppContext, recipe: Recipe) -> np.ndarray:
    """Render the one image of a recipe of kind "frame", uint8 (H, W, C), outside of the queue."""
    with context.take_frame_slot():
        return render_recipe(recipe, context.sampler)[0]


def export_morph(context: AppContext, recipe: Recipe, suffix: str = ".gif") -> Iterator[ExportStep]:
    """Write a morph in a format of FORMATS when its turn comes, reporting every few frames.

    Closing the iterator takes it out of the line or stops it, and leaves no file. Raises
    ConfigError for an unknown format.
    """
    if suffix not in FORMATS:
        names = ", ".join(known.removeprefix(".") for known in FORMATS)
        raise ConfigError(f"Unknown format {suffix.removeprefix('.')!r}: choose one of {names}.")
    edge = get_edge(recipe, context.sampler)
    FORMATS[suffix].check_size(edge, edge)
    total = count_images(recipe)
    # Before the wait: what is made is of the generator there is now, whatever a training writes.
    images = RecipeImages(recipe, context.sampler)
    with context.exporting.join() as place:
        for num_ahead in place.wait():
            yield ExportStep(0, total, num_ahead)
        yield ExportStep(0, total)
        for num_compared, num_in_all in images.place():
            yield ExportStep(num_compared, num_in_all, is_placing=True)
        with (
            context.downloads.make(name_morph(recipe), suffix) as path,
            closing(write_morph(path, images)) as writing,
        ):
            for done in writing:
                yield ExportStep(done, total)
    yield ExportStep(total, total, path=path, fps=recipe.fps)


def name_morph(recipe: Recipe) -> str:
    """Return a file name, without its suffix, that tells a sweep from a morph between seeds."""
    first, last = recipe.seeds[0], recipe.seeds[-1]
    is_sweep = len(set(recipe.seeds)) == 1 and len(set(recipe.labels)) > 1
    return f"{recipe.model}-{first}-" + ("sweep" if is_sweep else f"to-{last}")


def name_still(recipe: Recipe) -> str:
    """Return a file name, without its suffix, that says where on its way an image is."""
    return f"{name_morph(recipe)}-at-{recipe.t:.3f}"


def set_export(
    recipe: Recipe,
    num_frames: Any,
    fps: Any,
    size: Any,
    resize: str,
    is_ping_pong: bool,
    hold: float | None,
    pace: str = "even",
) -> Recipe:
    """Return the recipe with what an animation needs; raises ConfigError for invalid values.

    Every stop gets a frame, which may change the number of frames a little; a way that ends where
    it begins is closed.
    """
    count = check_num_frames(check_whole(num_frames, "The number of frames"))
    return replace(
        recipe,
        num_frames=fit_frames(count, len(recipe.seeds)),
        fps=float(check_whole(fps, "Frames per second")),
        size=check_whole(size, "The size"),
        resize=resize,
        is_ping_pong=bool(is_ping_pong),
        is_closed=is_closed_way(recipe.seeds, recipe.labels),
        hold=check_hold(hold or 0.0),
        pace=pace,
    )
