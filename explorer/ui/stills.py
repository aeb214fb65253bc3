"""Single images of a morph: the exact one where the slider rests, and that one as a file."""

from dataclasses import replace
from typing import Any

import gradio as gr

from explorer.images import save_png
from explorer.labels import Rows
from explorer.recipe import MAX_STOPS, Recipe
from explorer.replay import render_recipe
from explorer.ui.components.label_panel import read_row
from explorer.ui.context import AppContext
from explorer.ui.downloads import connect_download
from explorer.ui.encoding import encode_png
from explorer.ui.errors import answer_project_errors, check_whole, show_project_errors
from explorer.ui.export_panel import ExportPanel
from explorer.ui.morph import build_recipe, name_still, render_still
from explorer.ui.replaced import DRAW_AGAIN
from explorer.weights import hold_weights
from training.errors import ConfigError

# What the page shows at the click, and where its slider is.
TAKE_STILL = """(_, ...options) =>
  [LX.shownMorph && { ...LX.shownMorph, t: LX.shownPlace }, ...options]"""


def build_frame_renderer(context: AppContext) -> Any:
    """Build the function with which the page fetches the exact frame at rest."""

    @answer_project_errors
    def render_frame(request: dict[str, Any]) -> dict[str, Any]:
        """Render the frame of a request, unless its checkpoint has been replaced since."""
        recipe = read_still(context, request)
        with hold_weights(context.library, recipe.model, request.get("checkpoint"), DRAW_AGAIN):
            image = render_still(context, recipe)
        return {"t": recipe.t, "src": encode_png(image)}

    return render_frame


def connect_still(context: AppContext, panel: ExportPanel) -> None:
    """Let the panel's button save the image where the slider is, in the panel's size."""
    request = gr.JSON(visible=False)
    connect_download(
        panel.still,
        build_still_saver(context),
        [request, panel.size, panel.resize],
        concurrency_id="sample",
        js=TAKE_STILL,
    )


def build_still_saver(context: AppContext) -> Any:
    """Build the function that saves the image where the slider is."""

    @show_project_errors
    def save_still(request: dict[str, Any] | None, size: Any, resize: str) -> str:
        """Write the image of a request as a PNG with its recipe, and return its path."""
        if request is None:
            raise ConfigError("There is no morph to take an image of yet: choose a model.")
        still = read_still(context, request)
        recipe = replace(still, size=check_whole(size, "The size"), resize=resize)
        with hold_weights(context.library, recipe.model, request.get("checkpoint"), DRAW_AGAIN):
            image = render_recipe(recipe, context.sampler)[0]
        with context.downloads.make(name_still(recipe), ".png") as path:
            save_png(path, image, recipe)
        return str(path)

    return save_still


def read_still(context: AppContext, request: Any) -> Recipe:
    """Return the recipe of the image that the page asks for; raises ConfigError."""
    if not isinstance(request, dict) or not isinstance(request.get("t"), (int, float)):
        raise ConfigError("The page asked for a frame without a position: reload it.")
    seeds, rows = read_stops(request)
    recipe = build_recipe(
        context,
        str(request.get("model")),
        seeds,
        str(request.get("method")),
        float(request.get("truncation", 1.0)),
        rows,
    )
    return replace(recipe, kind="frame", t=float(request["t"]))


def read_stops(request: dict[str, Any]) -> tuple[tuple[int, ...], Rows]:
    """Return the seeds and label rows that the page sent; raises ConfigError."""
    seeds, rows = request.get("seeds"), request.get("labels")
    if not isinstance(seeds, list) or not isinstance(rows, list):
        raise ConfigError("The page asked for a frame without its stops: reload it.")
    labels = tuple(map(read_row, rows[: MAX_STOPS + 1]))
    return tuple(check_whole(seed, "A seed") for seed in seeds[: MAX_STOPS + 1]), labels
