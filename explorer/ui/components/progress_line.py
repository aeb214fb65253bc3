"""One line that says how far a long job is."""

from typing import Any

import gradio as gr


def build_progress_line() -> gr.HTML:
    """Build the line, empty until a job reports."""
    return gr.HTML(
        value={},
        html_template='<div class="lx-progress" role="status"></div>',
        js_on_load="LX.progressLine(element, {props, watch});",
        apply_default_css=False,
    )


def describe_progress(text: str, done: int = 0, total: int = 0) -> dict[str, Any]:
    """Describe a state; a bar is drawn while ``done`` is below ``total``."""
    return {"text": text, "done": done, "total": total}
