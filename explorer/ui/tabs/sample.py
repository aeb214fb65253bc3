"""Sample: images by seed, and by label, on a contact sheet."""

import html
import math
import random
from collections.abc import Mapping
from typing import Any

import gradio as gr
import torch

from explorer.images import save_png
from explorer.labels import Rows
from explorer.latents import MAX_SEED
from explorer.recipe import RESIZE_METHODS, Recipe
from explorer.replay import render_recipe
from explorer.ui.components.contact_sheet import SheetLabels, build_contact_sheet, describe_sheet
from explorer.ui.components.label_panel import build_label_panel, read_row
from explorer.ui.components.open_dropdown import OpenDropdown
from explorer.ui.components.scrubber import FOCUS_MORPH
from explorer.ui.context import LINES, PRIVATE, AppContext, Page
from explorer.ui.downloads import connect_download
from explorer.ui.errors import (
    check_whole,
    show_project_errors,
    warn_project_errors,
    write_project_errors,
)
from explorer.ui.label_controls import LabelControls, connect_label_controls, set_row
from explorer.ui.label_plans import SheetPlan, plan_sheet
from explorer.ui.morph import check_model
from explorer.ui.replaced import DRAW_AGAIN, check_shown
from explorer.weights import check_weights
from training.errors import ConfigError, ProjectError
from training.numbers import read_number

SIZES = {"As the model made it": 0, "128": 128, "256": 256, "512": 512, "1024": 1024}
WHOLE_SHEET, CHOSEN_IMAGE = "Whole sheet", "Chosen image"
# What the page shows at the click goes along: nothing that is still on its way can be older.
TAKE_SHOWN = "(_, ...inputs) => [LX.shownSheet || null, ...inputs]"


def build_tab(context: AppContext, page: Page) -> None:
    """Build the tab: the sheet beside its controls."""
    with gr.Row(elem_classes="lx-bench"):
        with gr.Column(elem_classes="lx-images"):
            sheet = build_contact_sheet()
        with gr.Column(elem_classes="lx-controls"):
            model = page.build_model_dropdown()
            with gr.Row():
                seed = gr.Number(0, label="First seed", precision=0, min_width=100)
                dice = gr.Button("Roll", elem_classes="lx-dice", min_width=70)
            count = gr.Slider(1, 64, value=16, step=1, label="How many seeds", buttons=[])
            truncation = gr.Slider(0, 1, value=1, step=0.01, label="Truncation", buttons=[])
            labels, is_read = build_labels()
            gr.HTML("<h3>Save as PNG</h3>")
            what = gr.Radio([WHOLE_SHEET, CHOSEN_IMAGE], value=WHOLE_SHEET, label="Save what")
            size = gr.Dropdown(list(SIZES), value="256", label="Pixels per image")
            resize = gr.Radio(list(RESIZE_METHODS), value="lanczos", label="Enlarge with")
            shown = gr.JSON(visible=False)
            save = gr.Button("Save PNG")

    draw, make_png = build_drawer(context), build_saver(context)
    asked = [model, seed, count, truncation, labels.panels[0], labels.sweep]
    inputs = [*asked, is_read]
    gr.on(
        [
            model.change, seed.change, count.input, truncation.input, labels.panels[0].input,
            labels.sweep.input, is_read.input,
        ],
        warn_project_errors(draw),
        inputs,
        sheet,
        trigger_mode="always_last",
        **LINES["sheet"],
        **PRIVATE,
    )  # fmt: skip
    connect_label_controls(context, page, model, labels)
    dice.click(roll_seed, None, seed, queue=False, **PRIVATE)
    page.on_load(write_project_errors(draw), inputs, sheet, LINES["sheet"])
    saved = [shown, *asked, what, size, resize]
    connect_download(save, make_png, saved, concurrency_id="sample", js=TAKE_SHOWN)
    connect_sending(context, page, sheet)


def build_labels() -> tuple[LabelControls, gr.Checkbox]:
    """Build the controls of labels, hidden for models without any, and the reader's switch."""
    with gr.Column(visible=False, elem_classes="lx-label-group") as group:
        panel = build_label_panel("Labels", "by seed")
        across = OpenDropdown([("None", "")], value="", label="All values across")
        is_read = gr.Checkbox(
            False, label="Read the labels", info="By a network that learned from real images only."
        )
    return LabelControls(group, (panel,), across, "None: the labels above"), is_read


def build_drawer(context: AppContext) -> Any:
    """Build the function that draws the sheet."""

    def draw(
        model: str | None, seed: float | None, count: float, truncation: float,
        panel: dict[str, Any] | None, across: str | None, is_read: bool,
    ) -> dict[str, Any]:  # fmt: skip
        """Draw the sheet of what the controls hold."""
        if not model:
            return {"message": context.library.message or "Choose a model."}
        if seed is None:  # being typed
            return gr.skip()
        plan = plan_sheet(context, model, list_seeds(seed, count), panel, across)
        rows = torch.tensor(plan.rows) if plan.rows else None
        # Before the images: were the file replaced in between, they would count as replaced.
        checkpoint = context.library.get_fingerprint(model)
        images = context.sampler.sample_seeds(model, plan.seeds, truncation, rows)
        readings = read_labels(context, model, images, plan) if is_read and plan.rows else ()
        labels = SheetLabels(plan.layout, plan.rows, readings, plan.across, plan.columns)
        sheet = describe_sheet(model, checkpoint, plan.seeds, truncation, images, labels)
        return {**sheet, "note": plan.note}

    return draw


def read_labels(context: AppContext, model: str, images: Any, plan: SheetPlan) -> Any:
    """Read the labels of a sheet's images; without a reader the page says so and shows none."""
    try:
        return context.readers.read(model, images, plan.rows)
    except ProjectError as error:
        gr.Warning(html.escape(str(error), quote=False), duration=8, title="Nobody can read these")
        return ()


def build_saver(context: AppContext) -> Any:
    """Build the function that saves the sheet, or the chosen image."""

    @show_project_errors
    def make_png(
        shown: dict[str, Any] | None, model: str, seed: float, count: float, truncation: float,
        panel: dict[str, Any] | None, across: str | None, what: str, size: str, resize: str,
    ) -> str:  # fmt: skip
        """Write what is shown as a PNG with its recipe, and return its path."""
        model = check_model(context, model)
        plan = plan_sheet(context, model, list_seeds(seed, count), panel, across)
        checkpoint = context.library.get_fingerprint(model)
        shown = check_shown(context, model, shown)
        is_single = what == CHOSEN_IMAGE
        seeds, rows = plan.seeds, plan.rows
        if is_single:
            seeds, rows, truncation = read_choice(model, shown)
        recipe = Recipe(
            kind="sample" if is_single else "grid",
            model=model,
            checkpoint=checkpoint,
            seeds=seeds,
            truncation=truncation,
            labels=rows,
            columns=plan.columns or math.ceil(math.sqrt(len(seeds))),
            size=SIZES[size],
            resize=resize,
        )
        name = f"{model}-seed-{seeds[0]}" + ("" if is_single else f"-to-{seeds[-1]}")
        with context.downloads.make(name, ".png") as path:
            save_png(path, render_recipe(recipe, context.sampler)[0], recipe)
        return str(path)

    return make_png


def list_seeds(first: float | None, count: float) -> list[int]:
    """List consecutive seeds; those past the last one start again at 0."""
    start = check_whole(first, "The first seed")
    return [start + index if start + index <= MAX_SEED else start + index - MAX_SEED - 1
            for index in range(int(count))]  # fmt: skip


def roll_seed() -> int:
    """Choose a first seed below 100,000, which is still easy to say and to type."""
    return random.randrange(100_000)


def read_choice(model: str, shown: Mapping[str, Any] | None) -> tuple[tuple[int, ...], Rows, float]:
    """Read seed, label row (if any) and truncation of the chosen frame; raises ConfigError."""
    if shown is None:
        raise ConfigError(f"No image of {model} is drawn yet: choose one when it is.")
    row, truncation = shown.get("row"), read_number(shown.get("truncation"))
    if truncation is None:
        raise ConfigError("The page did not say which truncation it shows: reload it.")
    seeds = (check_whole(shown.get("seed"), "The seed"),)
    return seeds, (read_row(row),) if row else (), truncation


def connect_sending(context: AppContext, page: Page, sheet: gr.HTML) -> None:
    """Let the loupe's buttons put a seed and its labels into Interpolate and go there."""

    def build_sender(side: int) -> Any:
        @show_project_errors
        def send(event: gr.EventData, panel: dict[str, Any], sweep: str) -> list[Any]:
            # The face that was chosen is of these weights; of others it is another one.
            check_weights(context.library, event.model, event.checkpoint, DRAW_AGAIN)
            value = set_row(context, panel, event.model, event.row)
            tab = gr.Tabs(selected="interpolate")
            # A sweep stays at A: where a morph is to end at B, it is over.
            kept = "" if side == 1 else sweep
            return [event.model, int(event.seed), event.truncation, value, kept, tab]

        return send

    for side, listener in enumerate((sheet.use_a, sheet.use_b)):
        seed = (page.morph_seed_a, page.morph_seed_b)[side]
        panel = page.morph_panels[side]
        sweep = page.morph_sweep
        outputs = [page.morph_model, seed, page.morph_truncation, panel, sweep, page.tabs]
        # Through the queue: what happens outside of it cannot show a message.
        sending = listener(build_sender(side), [panel, sweep], outputs, **PRIVATE)
        sending.success(None, js=FOCUS_MORPH, **PRIVATE)
