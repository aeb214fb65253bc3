"""Diagnose: has a model collapsed, does it copy its training data; verdict and evidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from explorer.ui.components.diagnosis import build_diagnosis_board, describe_cases
from explorer.ui.components.model_cards import describe_model
from explorer.ui.context import MAX_SCORE_JOBS, PRIVATE, SCORE, AppContext, Page
from explorer.ui.diagnosing import MAX_MODELS, Case, check_models, stream_cases
from explorer.ui.diagnosis_images import build_image_functions
from explorer.ui.errors import show_project_errors
from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS

SAMPLE_COUNTS = [256, 512, 1024, 2048, 5000]


@dataclass(frozen=True)
class DiagnosisWidgets:
    """Hold the widgets that a diagnosis reads and changes."""

    start: gr.Button
    stop: gr.Button
    board: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        """Return them in the order of `describe_diagnosing`."""
        return [self.start, self.stop, self.board]


def build_tab(context: AppContext, page: Page) -> None:
    """Build the tab: verdict and evidence beside the controls."""
    with gr.Row(elem_classes=["lx-bench", "lx-clinic"]):
        with gr.Column(elem_classes="lx-images"):
            board = build_diagnosis_board(build_image_functions(context))
        with gr.Column(elem_classes="lx-controls"):
            models = page.build_model_dropdown(num_models=MAX_MODELS)
            num_samples = gr.Dropdown(SAMPLE_COUNTS, value=1024, label="Samples per model")
            extractor = gr.Dropdown(list(EXTRACTORS), value=DEFAULT_EXTRACTOR, label="Features")
            search_all = gr.Checkbox(
                False, label="Search all real images for copies", info="Takes minutes once."
            )
            with gr.Row():
                start = gr.Button("Diagnose", variant="primary", min_width=100)
                stop = gr.Button("Stop", variant="stop", min_width=80, interactive=False)
    widgets = DiagnosisWidgets(start, stop, board)
    connect_diagnosing(context, [models, extractor, num_samples, search_all], widgets)
    connect_morphing(page, board)


def connect_diagnosing(context: AppContext, inputs: list[Any], widgets: DiagnosisWidgets) -> None:
    """Stream the diagnoses onto the board until they are done, stopped, or the page is closed."""

    @show_project_errors
    def diagnose(
        names: list[str], extractor: str, num_samples: int, search_all: bool
    ) -> Iterator[list[Any]]:
        names = check_models(names)
        subtitles = {name: describe_model(context.sampler.get_header(name)) for name in names}
        cases_on_the_way = stream_cases(context, names, extractor, int(num_samples), search_all)
        for cases in cases_on_the_way:
            yield describe_diagnosing(cases, int(num_samples), subtitles)

    running = widgets.start.click(
        diagnose,
        inputs,
        widgets.outputs,
        concurrency_id=SCORE,
        concurrency_limit=MAX_SCORE_JOBS,
        **PRIVATE,
    )
    # Stopping makes the running event fail, so that one thing ends both: a second one could come
    # late and end the next diagnosis.
    running.failure(stop_diagnosing, widgets.board, widgets.outputs, queue=False, **PRIVATE)
    widgets.stop.click(None, cancels=[running], api_visibility="private")


def connect_morphing(page: Page, board: gr.HTML) -> None:
    """Let a pair of samples be sent to Interpolate as both ends of a morph."""

    def send(event: gr.EventData) -> list[Any]:
        first, second = (int(seed) for seed in event.seeds)
        return [event.model, first, second, 1, gr.Tabs(selected="interpolate")]

    outputs = [
        page.morph_model, page.morph_seed_a, page.morph_seed_b, page.morph_truncation, page.tabs,
    ]  # fmt: skip
    board.morph(send, None, outputs, queue=False, **PRIVATE)


def describe_diagnosing(
    cases: tuple[Case, ...], num_samples: int, subtitles: dict[str, str]
) -> list[Any]:
    """Describe the cases for the widgets of `DiagnosisWidgets`."""
    value = describe_cases(cases, num_samples, subtitles)
    is_done = value["is_done"]
    return [gr.Button(interactive=is_done), gr.Button(interactive=not is_done), value]


def stop_diagnosing(value: dict[str, Any] | None) -> list[Any]:
    """Return the widgets to rest, keeping what was measured."""
    board = value or {}
    kept: dict[str, Any] = {}
    if any(case.get("stage") or case.get("error") for case in board.get("cases", [])):
        status = "Stopped; what was measured until then is below."
        kept = board if board.get("is_done") else {**board, "status": status, "is_stopped": True}
    return [gr.Button(interactive=True), gr.Button(interactive=False), kept]
