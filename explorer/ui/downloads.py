"""Files for the browser: as Gradio takes them, and saved by one click."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import FileData

SAVE_SCRIPT = """
(file) => {
  if (!file) return;
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name || "";
  document.body.append(link);
  link.click();
  link.remove();
}
"""


def connect_download(
    button: gr.Button,
    make_file: Callable[..., str],
    inputs: Sequence[Any],
    concurrency_id: str,
    js: str | None = None,
) -> None:
    """Let a button make a file with ``make_file(*inputs)`` and hand it to the browser.

    ``js`` is a function of the page that turns the inputs into those that are sent.
    """
    made = gr.File(visible="hidden", show_label=False)
    button.click(
        make_file,
        list(inputs),
        made,
        api_visibility="private",
        concurrency_id=concurrency_id,
        show_progress="hidden",
        js=js,
    ).success(None, made, js=SAVE_SCRIPT, api_visibility="private")


def describe_file(path: Path | None) -> Any:
    """Describe a file so that Gradio serves it and its client downloads it; None if there is none.

    The endpoints are annotated with FileData, which their clients see; Gradio finds files to
    serve in plain JSON values only.
    """
    return path and FileData(path=str(path), orig_name=path.name).model_dump()
