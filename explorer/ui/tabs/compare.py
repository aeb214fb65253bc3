"""Compare: models side by side on the same latents, and their scores as samples accumulate."""

from typing import Any

import gradio as gr

from explorer.latents import parse_seeds
from explorer.ui.components.comparison_sheet import (
    build_comparison_sheet,
    describe_column,
    describe_comparison,
)
from explorer.ui.components.model_cards import describe_model
from explorer.ui.context import AppContext, Page
from explorer.ui.errors import show_project_errors
from training.errors import ConfigError

MIN_MODELS, MAX_MODELS = 2, 4
MAX_SEEDS_SHOWN = 64
SIMPLE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build_tab(context: AppContext, page: Page) -> None:
    """Build the tab: one sheet per model beside the controls, scores below the sheets."""
    with gr.Row(elem_classes="lx-bench"):
        with gr.Column(elem_classes="lx-images"):
            sheets = build_comparison_sheet()
        with gr.Column(elem_classes="lx-controls"):
            models = page.build_model_dropdown(num_models=MAX_MODELS)
            seeds = gr.Textbox("0-15", label="Seeds", info="Numbers and ranges: 1, 5, 9-12")
            truncation = gr.Slider(0, 1, value=1, step=0.01, label="Truncation")

    @show_project_errors
    def draw(models: list[str], seeds: str, truncation: float) -> dict[str, Any]:
        if not context.library.names:
            return {"message": context.library.message}
        chosen, seed_list = check_models(models), check_seeds(seeds)
        columns = []
        for name in chosen:
            images = context.sampler.sample_seeds(name, seed_list, truncation)
            subtitle = describe_model(context.sampler.get_header(name))
            columns.append(describe_column(name, subtitle, images))
        return describe_comparison(seed_list, columns)

    inputs: list[Any] = [models, seeds, truncation]
    follow = {**SIMPLE, "concurrency_id": "sample", "concurrency_limit": 2}
    gr.on(
        [models.change, seeds.submit, seeds.blur],
        draw,
        inputs,
        sheets,
        trigger_mode="always_last",
        **follow,
    )
    truncation.input(draw, inputs, sheets, trigger_mode="always_last", **follow)
    page.on_load(draw, inputs, sheets)


def check_models(names: list[str] | None) -> list[str]:
    """Return two to four different models; raises ConfigError."""
    chosen = list(names or [])
    if len(set(chosen)) != len(chosen):
        raise ConfigError("The same model is chosen twice: choose different ones.")
    if not MIN_MODELS <= len(chosen) <= MAX_MODELS:
        raise ConfigError(
            f"{len(chosen)} models are chosen: choose {MIN_MODELS} to {MAX_MODELS} to compare."
        )
    return chosen


def check_seeds(text: str) -> list[int]:
    """Return the seeds of a text, at most as many as fit on the page; raises ConfigError."""
    seeds = list(dict.fromkeys(parse_seeds(text or "")))
    if len(seeds) > MAX_SEEDS_SHOWN:
        raise ConfigError(f"{len(seeds)} seeds are too many to show: choose {MAX_SEEDS_SHOWN}.")
    return seeds
