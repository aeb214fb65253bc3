"""Compare: models side by side on the same latents, and their scores as samples accumulate."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from explorer.latents import parse_seeds
from explorer.ui.components.comparison_sheet import (
    build_comparison_sheet,
    describe_column,
    describe_comparison,
)
from explorer.ui.components.long_run import LongRun, build_long_run, set_board, wait_in_line
from explorer.ui.components.model_cards import describe_model
from explorer.ui.components.score_board import build_score_board
from explorer.ui.context import LINES, PRIVATE, AppContext, Page
from explorer.ui.errors import show_project_errors, warn_project_errors, write_project_errors
from explorer.ui.replaced import SCORE_AGAIN, build_replaced_finder
from explorer.ui.scoring import Board, describe_board, stream_board
from training.errors import ConfigError
from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS

MIN_MODELS, MAX_MODELS = 2, 4
MAX_SEEDS_SHOWN = 64
SAMPLE_COUNTS = [256, 512, 1024, 2048, 5000, 10000]
ONE_MODEL = "There is one model here, and a comparison needs two: train another one."


def build_tab(context: AppContext, page: Page) -> None:
    """Build the tab: one sheet per model beside the controls, scores below the sheets."""
    with gr.Row(elem_classes="lx-bench"):
        with gr.Column(elem_classes="lx-images"):
            board = build_score_board(build_replaced_finder(context, SCORE_AGAIN, MAX_MODELS))
            sheets = build_comparison_sheet()
        with gr.Column(elem_classes="lx-controls"):
            models = page.build_model_dropdown(num_models=MAX_MODELS, min_models=MIN_MODELS)
            seeds = gr.Textbox(
                "0-15", label="Seeds, such as 1, 5, 9-12", elem_classes="lx-seeds", lines=1
            )
            truncation = gr.Slider(0, 1, value=1, step=0.01, label="Truncation", buttons=[])
            gr.HTML("<h3>Score</h3>")
            choices = [(spec.score_name, key) for key, spec in EXTRACTORS.items()]
            extractor = gr.Dropdown(choices, value=DEFAULT_EXTRACTOR, label="Score")
            num_samples = gr.Dropdown(SAMPLE_COUNTS, value=1024, label="Samples per model")
            run = build_long_run("Score", board)

    connect_sheets(context, page, [models, seeds, truncation], sheets)
    connect_scoring(context, [models, extractor, num_samples], run)


def connect_sheets(context: AppContext, page: Page, inputs: list[Any], sheets: gr.HTML) -> None:
    """Draw the sheets when the page opens and whenever an input changes."""

    def draw(models: list[str], seeds: str, truncation: float) -> dict[str, Any]:
        if len(context.library.names) < MIN_MODELS:
            return {"message": context.library.message or ONE_MODEL}
        chosen, seed_list = check_models(models), check_seeds(seeds)
        columns = []
        for name in chosen:
            images = context.sampler.sample_seeds(name, seed_list, truncation)
            subtitle = describe_model(context.sampler.get_header(name))
            columns.append(describe_column(name, subtitle, images))
        return describe_comparison(seed_list, columns)

    models, seeds, truncation = inputs
    gr.on(
        [models.change, seeds.submit, seeds.blur, truncation.input],
        warn_project_errors(draw),
        inputs,
        sheets,
        trigger_mode="always_last",
        **LINES["sheets"],
        **PRIVATE,
    )
    page.on_load(write_project_errors(draw), inputs, sheets, LINES["sheets"])


def connect_scoring(context: AppContext, inputs: list[Any], run: LongRun) -> None:
    """Stream the scores onto the board until they are done, stopped, or the page is closed."""

    @show_project_errors
    def score(models: list[str], extractor: str, num_samples: int) -> Iterator[list[Any]]:
        names = check_models(models)
        with context.scoring.join() as place:
            yield from wait_in_line(place, lambda text: {"rows": [], "status": text})
            for board in stream_board(context, names, extractor, int(num_samples)):
                yield describe_scoring(board)

    run.connect(score, stop_scoring, inputs)


def stop_scoring(value: dict[str, Any] | None) -> list[Any]:
    """Return the widgets to rest, keeping a board that has values."""
    board = value or {}
    kept = {}
    if any(row.get("points") for row in board.get("rows", [])):
        status = (
            board["status"] if board.get("is_done") else "Stopped; the values so far are below."
        )
        kept = {**board, "status": status, "is_stopped": True}
    return set_board(kept, is_done=True)


def describe_scoring(board: Board) -> list[Any]:
    """Describe a board as updates of the run's widgets."""
    return set_board(describe_board(board), board.is_done)


def check_models(names: list[str] | None) -> list[str]:
    """Return two to four different models; raises ConfigError."""
    chosen = list(names or [])
    if len(set(chosen)) != len(chosen):
        raise ConfigError("The same model is chosen twice: choose different ones.")
    if not MIN_MODELS <= len(chosen) <= MAX_MODELS:
        count = "1 model is" if len(chosen) == 1 else f"{len(chosen)} models are"
        raise ConfigError(f"{count} chosen: choose {MIN_MODELS} to {MAX_MODELS} to compare.")
    return chosen


def check_seeds(text: str) -> list[int]:
    """Return the seeds of a text, at most as many as fit on the page; raises ConfigError."""
    seeds = list(dict.fromkeys(parse_seeds(text or "")))
    if len(seeds) > MAX_SEEDS_SHOWN:
        raise ConfigError(f"{len(seeds)} seeds are too many to show: choose {MAX_SEEDS_SHOWN}.")
    return seeds
