"""The public endpoints: the same as the page, for programs (`gradio_client`, curl)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio import FileData

from explorer.images import save_png
from explorer.labels import Rows, choose_sheet, choose_stops, parse_values
from explorer.latents import parse_seeds
from explorer.recipe import DEFAULT_HOLD, Recipe
from explorer.replay import render_recipe
from explorer.ui.components.model_cards import describe_card
from explorer.ui.context import LINES, LONG, AppContext
from explorer.ui.diagnosing import Case, stream_cases
from explorer.ui.downloads import describe_file
from explorer.ui.endpoint import build_endpoint
from explorer.ui.label_plans import get_layout
from explorer.ui.morph import (
    build_recipe,
    check_model,
    check_way,
    export_morph,
    name_still,
    render_still,
    set_export,
)
from explorer.ui.scoring import ScoreRow, stream_board
from explorer.ui.tabs.compare import MAX_MODELS, check_models
from training.errors import ConfigError
from training.metrics.extractors import DEFAULT_EXTRACTOR


def build_endpoints(context: AppContext) -> None:
    """Register every public endpoint of the app."""
    build_sampling_endpoints(context)
    build_score_endpoint(context)
    build_diagnosis_endpoint(context)
    build_morph_endpoints(context)
    build_library_endpoints(context)


def build_sampling_endpoints(context: AppContext) -> None:
    """Register sample and compare, which make grids."""

    @build_endpoint
    def sample(
        model: str,
        seeds: str = "0-15",
        truncation: float = 1.0,
        columns: int = 4,
        size: int = 0,
        labels: str = "",
        across: str = "",
    ) -> FileData:
        """Make a grid of samples as a PNG; seeds are numbers and ranges such as "0-15, 42".

        Of a model with labels, labels such as "age=30" hold for all images, and the values of the
        label that across names go across, one seed to a row, whatever columns says. size is the
        edge of an image in pixels, 0 as the model makes it.
        """
        return save_grid(context, model, seeds, truncation, columns, size, labels, across)

    @build_endpoint
    def compare(
        models: list[str], seeds: str = "0-15", truncation: float = 1.0, columns: int = 4
    ) -> list[FileData]:
        """Make a grid for each of two to four models, from the same seeds in the same order."""
        return [
            save_grid(context, name, seeds, truncation, columns, 0) for name in check_models(models)
        ]

    gr.api(sample, api_name="sample", concurrency_id="sample", concurrency_limit=2)
    gr.api(compare, api_name="compare", concurrency_id="sample", concurrency_limit=2)


def save_grid(
    context: AppContext, model: str, seeds: str, truncation: float, columns: int, size: int,
    labels: str = "", across: str = "",
) -> Any:  # fmt: skip
    """Write a grid of samples as a PNG, and return its file as the endpoints give it."""
    values = parse_values(labels, get_layout(context, model))
    places, rows, across_columns = choose_sheet(
        context.sampler, model, parse_seeds(seeds), values, across
    )
    recipe = Recipe(
        kind="grid",
        model=model,
        checkpoint=context.library.get_fingerprint(model),
        seeds=places,
        truncation=truncation,
        labels=rows,
        columns=across_columns or columns,
        size=size,
    )
    with context.downloads.make(f"{model}-grid", ".png") as path:
        save_png(path, render_recipe(recipe, context.sampler)[0], recipe)
    return describe_file(path)


def build_score_endpoint(context: AppContext) -> None:
    """Register score."""

    @build_endpoint
    def score(
        models: list[str], num_samples: int = 1024, extractor: str = DEFAULT_EXTRACTOR
    ) -> Iterator[list[dict[str, Any]]]:
        """Score one to four models, streaming every model's newest score as samples come in.

        A score has its 95 % interval, its noise floor and its extrapolation to infinitely many
        samples; the last one has all samples, 16 to 50,000. Scores known from before come at once.
        """
        if len(models) > MAX_MODELS or len(set(models)) < len(models):
            raise ConfigError(f"Give one to {MAX_MODELS} different models to score.")
        with context.scoring.join() as place:
            for _ in place.wait():
                yield [ScoreRow(name).to_dict() for name in models]
            for board in stream_board(context, models, extractor, num_samples):
                yield [row.to_dict() for row in board.rows]

    gr.api(score, api_name="score", **LONG)


def build_diagnosis_endpoint(context: AppContext) -> None:
    """Register diagnose."""

    @build_endpoint
    def diagnose(
        models: list[str],
        num_samples: int = 1024,
        extractor: str = DEFAULT_EXTRACTOR,
        search_all: bool = False,
    ) -> Iterator[list[dict[str, Any]]]:
        """Diagnose one or two models, streaming all that is measured of each as samples come in.

        A model's "verdict" is null at first, parts are null until they are measured, and "is_done"
        says which value is the last; a model that cannot be diagnosed has its reason as "error".
        With search_all, copies are looked for among all images of the reference, if these are on
        the server and 10,000 at most: minutes, once. Takes 64 to 50,000 samples.
        """
        with context.scoring.join() as place:
            for _ in place.wait():
                yield [Case(name).to_dict() for name in models]
            for cases in stream_cases(context, models, extractor, num_samples, search_all):
                yield [case.to_dict() for case in cases]

    gr.api(diagnose, api_name="diagnose", **LONG)


def build_morph_endpoints(context: AppContext) -> None:
    """Register interpolate_frame and export_morph."""

    @build_endpoint
    def interpolate_frame(
        model: str,
        seed_a: int,
        seed_b: int,
        t: float = 0.5,
        method: str = "slerp",
        truncation: float = 1.0,
        labels: str = "",
        to_labels: str = "",
        sweep: str = "",
        through: str = "",
    ) -> FileData:
        """Make the image at position t in [0, 1] between two seeds, as a PNG of native size.

        method is slerp, lerp or spline. Seeds such as "5, 9-12" in through lie on the way, evenly
        spaced. Of a model with labels, those such as "age=30" lead to to_labels; sweep names a
        label whose values are gone through instead, at seed_a.
        """
        way = (seed_a, seed_b, through)
        seeds, rows = plan_stops(context, model, way, labels, to_labels, sweep)
        recipe = build_recipe(context, model, seeds, method, truncation, rows)
        recipe = replace(recipe, kind="frame", t=t)
        with context.downloads.make(name_still(recipe), ".png") as path:
            save_png(path, render_still(context, recipe), recipe)
        return describe_file(path)

    @build_endpoint
    def export_animation(
        model: str,
        seed_a: int,
        seed_b: int,
        num_frames: int = 60,
        fps: int = 25,
        size: int = 256,
        resize: str = "lanczos",
        is_ping_pong: bool = True,
        method: str = "slerp",
        truncation: float = 1.0,
        labels: str = "",
        to_labels: str = "",
        sweep: str = "",
        hold: float = DEFAULT_HOLD,
        through: str = "",
        format: str = "gif",
        pace: str = "even",
    ) -> Iterator[FileData]:
        """Make an animation from one seed to another, or of a sweep, with its recipe inside.

        method, labels and through are given as to interpolate_frame. Seeds and values are shown
        for hold seconds. format is gif, webp, mp4, apng or zip (single PNGs); pace is even, eased
        (slower at each stop) or steady (the image changes as much from each frame to the next). The
        value is null until the file is there; a job that is cancelled before leaves none.
        """
        way = (seed_a, seed_b, through)
        seeds, rows = plan_stops(context, model, way, labels, to_labels, sweep)
        recipe = build_recipe(context, model, seeds, method, truncation, rows)
        recipe = set_export(recipe, num_frames, fps, size, resize, is_ping_pong, hold, pace)
        for step in export_morph(context, recipe, f".{format}"):
            yield describe_file(step.path)

    gr.api(interpolate_frame, api_name="interpolate_frame", **LINES["morph"])
    # Of an iterator, Gradio's page and clients would say "Any".
    export_animation.__annotations__["return"] = FileData
    gr.api(export_animation, api_name="export_morph", **LONG)


def build_library_endpoints(context: AppContext) -> None:
    """Register list_models and rescan."""

    def list_models() -> list[dict[str, Any]]:
        """List every checkpoint with its facts and score, damaged ones with the reason."""
        return [describe_card(entry) for entry in context.library.entries]

    def rescan() -> dict[str, list[str]]:
        """Look at the checkpoint folder again and list what was added, removed or changed."""
        change = context.library.rescan()
        return {
            "added": list(change.added),
            "removed": list(change.removed),
            "changed": list(change.changed),
        }

    gr.api(list_models, api_name="list_models")
    gr.api(rescan, api_name="rescan")


def plan_stops(
    context: AppContext,
    model: str,
    way: tuple[Any, Any, str],
    labels: str,
    to_labels: str,
    sweep: str,
) -> tuple[tuple[int, ...], Rows]:
    """Return the seeds and label rows that a morph goes through, as a program asks for them."""
    layout = get_layout(context, check_model(context, model))
    values, changes = parse_values(labels, layout), parse_values(to_labels, layout)
    seeds = check_way(*way)
    return choose_stops(context.sampler, model, seeds, values, changes, sweep)
