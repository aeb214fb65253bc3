"""The part of Interpolate that writes the morph as a file: its options, the run, what it made."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from explorer.formats import FORMATS, get_format
from explorer.numbers import format_bytes
from explorer.paces import PACES
from explorer.recipe import DEFAULT_HOLD, MAX_HOLD, RESIZE_METHODS, Recipe
from explorer.turns import describe_wait
from explorer.ui.components.made_animation import build_made_animation, describe_animation
from explorer.ui.components.progress_line import build_progress_line, describe_progress
from explorer.ui.context import LONG, PRIVATE, AppContext
from explorer.ui.errors import show_project_errors
from explorer.ui.morph import ExportStep, export_morph, set_export
from explorer.ui.replaced import check_shown

SIZES = [("As the model made it", 0), *((str(size), size) for size in (128, 256, 384, 512))]
PACE_CHOICES = [(pace.capitalize(), pace) for pace in PACES]
PACE_INFO = "Eased: slows at stops. Steady: every frame changes the image as much."
CHOICES = [(made.name, suffix) for suffix, made in FORMATS.items()]
# The morph that the page shows at the click goes along: the file is to be of the same weights.
TAKE_SHOWN = "(_, ...inputs) => [LX.shownMorph || null, ...inputs]"


@dataclass(frozen=True)
class ExportPanel:
    """Hold the widgets of an export: what it is told, what it changes, and the one for a still."""

    options: list[Any]
    size: gr.Dropdown
    resize: gr.Radio
    format: gr.Dropdown
    still: gr.Button
    start: gr.Button
    cancel: gr.Button
    progress: gr.HTML
    result: gr.HTML
    download: gr.DownloadButton

    @property
    def outputs(self) -> list[Any]:
        """Return what an export changes, in the order of `describe_export`."""
        return [self.start, self.cancel, self.progress, self.result, self.download]


def build_export_panel() -> ExportPanel:
    """Build the options of an animation, the buttons, and where it is shown."""
    gr.HTML("<h3>Make an animation</h3>")
    with gr.Row():
        frames = gr.Number(60, label="Frames from A to B", precision=0, min_width=100)
        fps = gr.Number(25, label="Frames per second", precision=0, min_width=100)
    with gr.Row():
        hold = gr.Number(
            DEFAULT_HOLD, label="Hold at ends (s)", minimum=0, maximum=MAX_HOLD,
            step=0.1, min_width=100,
        )  # fmt: skip
        size = gr.Dropdown(SIZES, value=256, label="Pixels", min_width=100)
    pace = gr.Radio(PACE_CHOICES, value="even", label="Pace", info=PACE_INFO)
    format_ = gr.Dropdown(
        CHOICES, value=CHOICES[0][1], label="Format", info=describe_format(CHOICES[0][1])
    )
    resize = gr.Radio(list(RESIZE_METHODS), value="lanczos", label="Enlarge with")
    is_ping_pong = gr.Checkbox(True, label="There and back")
    with gr.Row():
        start = gr.Button(name_start(CHOICES[0][1]), variant="primary", min_width=100)
        cancel = gr.Button("Cancel", variant="stop", min_width=80, interactive=False)
    progress = build_progress_line()
    result = build_made_animation()
    download = gr.DownloadButton(visible=False)
    still = gr.Button("Save the image at t")
    return ExportPanel(
        options=[frames, fps, size, resize, is_ping_pong, hold, pace],
        size=size,
        resize=resize,
        format=format_,
        still=still,
        start=start,
        cancel=cancel,
        progress=progress,
        result=result,
        download=download,
    )


def describe_format(suffix: str) -> str:
    """Say in a few words what a format is for."""
    about = FORMATS[suffix].about
    return about[0].upper() + about[1:]


def name_start(suffix: str) -> str:
    """Name the button that starts an export."""
    return f"Make {FORMATS[suffix].name}"


def show_format(suffix: str) -> tuple[gr.Button, gr.Dropdown]:
    """Name the button and describe the format after it was chosen."""
    return gr.Button(name_start(suffix)), gr.Dropdown(info=describe_format(suffix))


def connect_export(
    context: AppContext, panel: ExportPanel, path: Sequence[Any], plan: Callable[..., Recipe]
) -> None:
    """Write what ``plan`` makes of the path's inputs, in steps that can be cancelled; show it."""
    panel.format.change(
        show_format, panel.format, [panel.start, panel.format], queue=False, **PRIVATE
    )
    num_options = len(panel.options)

    @show_project_errors
    def make(shown: dict[str, Any] | None, suffix: str, *inputs: Any) -> Iterator[list[Any]]:
        yield describe_export(describe_wait(0), 0, 1)
        recipe = set_export(plan(*inputs[:-num_options]), *inputs[-num_options:])
        check_shown(context, recipe.model, shown)
        for step in export_morph(context, recipe, suffix):
            yield describe_step(step)

    shown = gr.JSON(visible=False)
    running = panel.start.click(
        make,
        [shown, panel.format, *path, *panel.options],
        panel.outputs,
        js=TAKE_SHOWN,
        **LONG,
        **PRIVATE,
    )
    # Cancelling makes the running event fail, so that one thing ends both: a second one could come
    # late and end the next export.
    running.failure(stop_export, panel.progress, panel.outputs, queue=False, **PRIVATE)
    panel.cancel.click(None, cancels=[running], api_visibility="private")


def stop_export(progress: dict[str, Any] | None) -> list[Any]:
    """Return the widgets to rest; what is finished by then, a next export perhaps, stays."""
    shown = progress or {}
    is_finished = bool(shown.get("text")) and shown.get("done") == shown.get("total")
    return describe_export(str(shown["text"]) if is_finished else "No file was made.")


def describe_step(step: ExportStep) -> list[Any]:
    """Describe an export on its way for the widgets of `ExportPanel.outputs`."""
    if step.path is not None:
        return describe_export(describe_file_made(step), path=step.path)
    if step.num_ahead is None:  # drawn again, it would be read out again
        return [gr.skip()] * 5
    if step.done == 0:
        return describe_export(describe_wait(step.num_ahead), 0, step.total)
    # The last frame is followed by the end of the file: only the path says that it is there.
    what = "Comparing image" if step.is_placing else "Writing frame"
    text = f"{what} {step.done} of {step.total}"
    return describe_export(text, min(step.done, step.total - 1), step.total)


def describe_export(
    text: str, done: int = 0, total: int = 0, path: Path | None = None
) -> list[Any]:
    """Describe the state of an export for the widgets of `ExportPanel.outputs`."""
    is_running = done < total
    return [
        gr.Button(interactive=not is_running),
        gr.Button(interactive=is_running),
        describe_progress(text, done, total),
        gr.skip() if path is None else describe_animation(path),
        gr.skip() if path is None else build_download(path),
    ]


def describe_file_made(step: ExportStep) -> str:
    """Say how many frames a finished file has, how fast they follow, and its size."""
    assert step.path is not None
    facts = get_format(step.path).describe(step.total, step.fps)
    return f"{facts}, {format_bytes(step.path.stat().st_size)}"


def build_download(path: Path) -> gr.DownloadButton:
    """Offer a finished file."""
    return gr.DownloadButton(f"Download {get_format(path).name}", value=str(path), visible=True)
