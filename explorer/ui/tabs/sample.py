"""Sample: images by seed on a contact sheet."""

import math
import random
from typing import Any

import gradio as gr

from explorer.images import save_png
from explorer.latents import MAX_SEED
from explorer.recipe import RESIZE_METHODS, Recipe
from explorer.replay import render_recipe
from explorer.ui.components.contact_sheet import build_contact_sheet, describe_sheet
from explorer.ui.context import PRIVATE, AppContext, Page
from explorer.ui.downloads import connect_download
from explorer.ui.errors import check_whole, show_project_errors

SIZES = {"As the model made it": 0, "128": 128, "256": 256, "512": 512, "1024": 1024}
WHOLE_SHEET, CHOSEN_IMAGE = "Whole sheet", "Chosen image"


def build_tab(context: AppContext, page: Page) -> None:
    """Build the tab: the sheet beside its controls."""
    chosen = gr.State(None)
    with gr.Row(elem_classes="lx-bench"):
        with gr.Column(elem_classes="lx-images"):
            sheet = build_contact_sheet()
        with gr.Column(elem_classes="lx-controls"):
            model = page.build_model_dropdown()
            with gr.Row():
                seed = gr.Number(0, label="First seed", precision=0, min_width=100)
                dice = gr.Button("Roll", elem_classes="lx-dice", min_width=70)
            count = gr.Slider(1, 64, value=16, step=1, label="How many", buttons=[])
            truncation = gr.Slider(0, 1, value=1, step=0.01, label="Truncation", buttons=[])
            gr.HTML("<h3>Save as PNG</h3>")
            what = gr.Radio([WHOLE_SHEET, CHOSEN_IMAGE], value=WHOLE_SHEET, label="Save what")
            size = gr.Dropdown(list(SIZES), value="256", label="Pixels per image")
            resize = gr.Radio(list(RESIZE_METHODS), value="lanczos", label="Enlarge with")
            save = gr.Button("Save PNG")

    @show_project_errors
    def draw(model: str | None, seed: float, count: float, truncation: float) -> dict[str, Any]:
        if not model:
            return {"message": context.library.message or "Choose a model."}
        seeds = list_seeds(seed, count)
        images = context.sampler.sample_seeds(model, seeds, truncation)
        return describe_sheet(model, seeds, truncation, images)

    @show_project_errors
    def make_png(
        model: str, seed: float, count: float, truncation: float, chosen: int | None, what: str,
        size: str, resize: str,
    ) -> str:  # fmt: skip
        is_single = what == CHOSEN_IMAGE
        first = check_whole(seed, "The first seed") if chosen is None else chosen
        seeds = [first] if is_single else list_seeds(seed, count)
        recipe = Recipe(
            kind="sample" if is_single else "grid",
            model=model or "",
            checkpoint=context.library.get_fingerprint(model or ""),
            seeds=tuple(seeds),
            truncation=truncation,
            columns=math.ceil(math.sqrt(len(seeds))),
            size=SIZES[size],
            resize=resize,
        )
        name = f"{model}-seed-{seeds[0]}" + ("" if is_single else f"-to-{seeds[-1]}")
        path = context.make_export_path(name, ".png")
        save_png(path, render_recipe(recipe, context.sampler)[0], recipe)
        return str(path)

    inputs: list[Any] = [model, seed, count, truncation]
    follow: dict[str, Any] = {**PRIVATE, "concurrency_id": "sample", "concurrency_limit": 2}
    gr.on(
        [model.change, seed.input, count.input, truncation.input],
        draw,
        inputs,
        sheet,
        trigger_mode="always_last",
        **follow,
    )
    dice.click(roll_seed, None, seed, queue=False, **PRIVATE).then(draw, inputs, sheet, **follow)
    page.on_load(draw, inputs, sheet)
    sheet.choose(take_chosen, None, chosen, queue=False, **PRIVATE)
    connect_download(save, make_png, [*inputs, chosen, what, size, resize], concurrency_id="sample")
    connect_sending(page, sheet)


def list_seeds(first: float | None, count: float) -> list[int]:
    """List consecutive seeds; those past the last one start again at 0."""
    start = check_whole(first, "The first seed")
    return [start + index if start + index <= MAX_SEED else start + index - MAX_SEED - 1
            for index in range(int(count))]  # fmt: skip


def roll_seed() -> int:
    """Choose a first seed below 100,000, which is still easy to say and to type."""
    return random.randrange(100_000)


def take_chosen(event: gr.EventData) -> int:
    """Return the seed of the frame that was chosen on the sheet."""
    return int(event.seed)


def connect_sending(page: Page, sheet: gr.HTML) -> None:
    """Let the loupe's buttons put a seed into Interpolate and go there."""

    def send(event: gr.EventData) -> list[Any]:
        return [event.model, int(event.seed), event.truncation, gr.Tabs(selected="interpolate")]

    for listener, seed in ((sheet.use_a, page.morph_seed_a), (sheet.use_b, page.morph_seed_b)):
        outputs = [page.morph_model, seed, page.morph_truncation, page.tabs]
        listener(send, None, outputs, queue=False, **PRIVATE)
