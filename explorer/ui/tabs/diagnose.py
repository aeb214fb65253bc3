"""Diagnose: has a model collapsed, does it copy its training data; verdict and evidence."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from explorer.ui.components.diagnosis import (
    build_diagnosis_board,
    describe_cases,
    list_real_images,
)
from explorer.ui.components.long_run import LongRun, build_long_run, set_board, wait_in_line
from explorer.ui.components.model_cards import describe_model
from explorer.ui.components.scrubber import FOCUS_MORPH
from explorer.ui.context import PRIVATE, AppContext, Page
from explorer.ui.diagnosing import MAX_MODELS, check_models, stream_cases
from explorer.ui.diagnosis_images import build_image_functions
from explorer.ui.errors import show_project_errors
from explorer.ui.label_controls import set_row
from explorer.ui.label_plans import get_layout
from explorer.ui.replaced import build_replaced_finder
from explorer.weights import DIAGNOSE_AGAIN, check_weights
from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS

SAMPLE_COUNTS = [256, 512, 1024, 2048, 5000]


def build_tab(context: AppContext, page: Page) -> None:
    """Build the tab: verdict and evidence beside the controls."""
    with gr.Row(elem_classes=["lx-bench", "lx-clinic"]):
        with gr.Column(elem_classes="lx-images"):
            find_replaced = build_replaced_finder(context, DIAGNOSE_AGAIN, MAX_MODELS)
            board = build_diagnosis_board([*build_image_functions(context), find_replaced])
        with gr.Column(elem_classes="lx-controls"):
            models = page.build_model_dropdown(num_models=MAX_MODELS)
            num_samples = gr.Dropdown(SAMPLE_COUNTS, value=1024, label="Samples per model")
            extractor = gr.Dropdown(list(EXTRACTORS), value=DEFAULT_EXTRACTOR, label="Features")
            search_all = gr.Checkbox(
                False, label="Search all real images for copies", info="Takes minutes once."
            )
            run = build_long_run("Diagnose", board)
    connect_diagnosing(context, [models, extractor, num_samples, search_all], run)
    connect_morphing(context, page, board)


def connect_diagnosing(context: AppContext, inputs: list[Any], run: LongRun) -> None:
    """Stream the diagnoses onto the board until they are done, stopped, or the page is closed."""

    @show_project_errors
    def diagnose(
        names: list[str], extractor: str, num_samples: int, search_all: bool
    ) -> Iterator[list[Any]]:
        names = check_models(names)
        subtitles = {name: describe_model(context.sampler.get_header(name)) for name in names}
        with context.scoring.join() as place:
            yield from wait_in_line(place, lambda text: {"message": text})
            for cases in stream_cases(context, names, extractor, int(num_samples), search_all):
                value = describe_cases(cases, int(num_samples), subtitles)
                allow_real_images(context, value)
                yield set_board(value, value["is_done"])

    run.connect(diagnose, stop_diagnosing, inputs)


def connect_morphing(context: AppContext, page: Page, board: gr.HTML) -> None:
    """Let a pair of samples be sent to Interpolate as both ends of a morph, labels and all."""

    @show_project_errors
    def send(event: gr.EventData, *panels: dict[str, Any]) -> list[Any]:
        # The pair was found among samples of these weights; of others it is no pair.
        check_weights(context.library, event.model, event.checkpoint, DIAGNOSE_AGAIN)
        seeds = [int(seed) for seed in event.seeds]
        rows = get_layout(context, event.model).draw(seeds).tolist()
        filled = [
            set_row(context, panel, event.model, row)
            for panel, row in zip(panels, rows, strict=True)
        ]
        return [event.model, *seeds, "", 1, *filled, "", gr.Tabs(selected="interpolate")]

    outputs = [
        page.morph_model, page.morph_seed_a, page.morph_seed_b, page.morph_through,
        page.morph_truncation, *page.morph_panels, page.morph_sweep, page.tabs,
    ]  # fmt: skip
    # Through the queue: what happens outside of it cannot show a message.
    sending = board.morph(send, list(page.morph_panels), outputs, **PRIVATE)
    sending.success(None, js=FOCUS_MORPH, **PRIVATE)


def allow_real_images(context: AppContext, value: dict[str, Any]) -> None:
    """Let the page fetch the real images that a board names, and no others."""
    for case in value["cases"]:
        if case["has_real_images"] and case.get("checkpoint"):
            context.shown_images.add(case["checkpoint"], list_real_images(case))


def stop_diagnosing(value: dict[str, Any] | None) -> list[Any]:
    """Return the widgets to rest, keeping what was measured."""
    board = value or {}
    kept: dict[str, Any] = {}
    if any(case.get("stage") or case.get("error") for case in board.get("cases", [])):
        status = "Stopped; what was measured until then is below."
        kept = board if board.get("is_done") else {**board, "status": status, "is_stopped": True}
    return set_board(kept, is_done=True)
