"""Interpolate: a morph from seed to seed, by hand and as an animation."""

from functools import partial
from typing import Any

import gradio as gr

from explorer.recipe import Recipe
from explorer.ui.components.scrubber import build_scrubber, describe_morph
from explorer.ui.context import LINES, PRIVATE, AppContext, Page
from explorer.ui.errors import (
    warn_project_errors,
    write_project_errors,
)
from explorer.ui.export_panel import build_export_panel, connect_export
from explorer.ui.label_controls import LabelControls, connect_label_controls
from explorer.ui.label_plans import MorphPlan, get_layout, plan_morph
from explorer.ui.morph import (
    build_recipe,
    check_model,
    check_way,
    render_preview,
)
from explorer.ui.stills import build_frame_renderer, connect_still
from training.errors import ProjectError

METHODS = [
    ("Great circle (slerp)", "slerp"),
    ("Straight line (lerp)", "lerp"),
    ("Smooth curve (spline)", "spline"),
]


def build_tab(context: AppContext, page: Page) -> None:
    """Build the tab: the morph beside its controls and the export."""
    with gr.Row(elem_classes="lx-bench"):
        with gr.Column(elem_classes="lx-images"):
            scrubber = build_scrubber(build_frame_renderer(context))
        with gr.Column(elem_classes="lx-controls"):
            page.morph_model.render()
            with gr.Row():
                page.morph_seed_a.render()
                page.morph_seed_b.render()
            page.morph_through.render()
            method = gr.Radio(METHODS, value="slerp", label="Path")
            page.morph_truncation.render()
            labels = build_labels(page)
            export = build_export_panel()

    path = [
        page.morph_model, page.morph_seed_a, page.morph_seed_b, page.morph_through, method,
        page.morph_truncation, *labels.panels, labels.sweep,
    ]  # fmt: skip
    connect_morph(context, page, scrubber, path)
    connect_label_controls(context, page, page.morph_model, labels)
    # A sweep stays at A: what is behind it would have no effect.
    gr.on(
        [labels.sweep.change, page.morph_model.change],
        partial(show_end, context),
        [page.morph_model, labels.sweep],
        [page.morph_through, page.morph_seed_b, labels.panels[1]],
        queue=False,
        **PRIVATE,
    )
    connect_still(context, export)
    connect_export(context, export, path, lambda *inputs: plan_recipe(context, *inputs)[0])


def build_labels(page: Page) -> LabelControls:
    """Build the controls of labels, which a model without any leaves hidden."""
    with gr.Column(visible=False, elem_classes="lx-label-group") as group:
        page.morph_sweep.render()
        for panel in page.morph_panels:
            panel.render()
    return LabelControls(group, page.morph_panels, page.morph_sweep, "None: from A to B")


def show_end(context: AppContext, model: str | None, sweep: str | None) -> list[Any]:
    """Show what lies behind A, seeds and labels of B, unless a label of the model is swept.

    A model that cannot be read changes nothing: what is drawn for the same choice says why.
    """
    try:
        is_swept = bool(model) and sweep in get_layout(context, str(model)).names
    except ProjectError:
        return [gr.skip()] * 3
    return [kind(visible=not is_swept) for kind in (gr.Textbox, gr.Number, gr.HTML)]


def connect_morph(context: AppContext, page: Page, scrubber: gr.HTML, path: list[Any]) -> None:
    """Render the path whenever one of its inputs changes, and when the page opens."""

    def draw(*inputs: Any) -> dict[str, Any]:
        """Render the path of what the controls hold."""
        if not inputs[0]:
            return {"message": context.library.message or "Choose a model."}
        if inputs[1] is None or inputs[2] is None:  # a seed is being typed
            return gr.skip()
        recipe, plan = plan_recipe(context, *inputs)
        request = {
            "model": recipe.model,
            "checkpoint": recipe.checkpoint,
            "seeds": recipe.seeds,
            "labels": recipe.labels,
            "method": recipe.method,
            "truncation": recipe.truncation,
        }
        frames = render_preview(context, recipe)
        return describe_morph(request, frames, plan.texts, plan.kind)

    through = page.morph_through

    def draw_direct(*inputs: Any) -> Any:
        """Render the path once no seeds are left on its way."""
        return gr.skip() if inputs[path.index(through)] else draw(*inputs)

    # A list of seeds that is being typed is no list yet.
    whole = [through.submit, through.blur]
    others = [widget.change for widget in path if widget is not through]
    for triggers, function in (([*others, *whole], draw), ([through.change], draw_direct)):
        gr.on(
            triggers,
            warn_project_errors(function),
            path,
            scrubber,
            trigger_mode="always_last",
            **LINES["morph"],
            **PRIVATE,
        )
    page.on_load(write_project_errors(draw), path, scrubber, LINES["morph"])


def plan_recipe(
    context: AppContext,
    model: str | None,
    seed_a: Any,
    seed_b: Any,
    through: str,
    method: str,
    truncation: float,
    panel_a: dict[str, Any] | None,
    panel_b: dict[str, Any] | None,
    sweep: str | None,
) -> tuple[Recipe, MorphPlan]:
    """Build the recipe of what the controls hold, and the plan behind it; raises ConfigError."""
    seeds = check_way(seed_a, seed_b, through)
    plan = plan_morph(context, check_model(context, model), seeds, (panel_a, panel_b), sweep)
    recipe = build_recipe(context, model, plan.seeds, method, truncation, plan.rows)
    return recipe, plan
