"""One contact sheet per model, side by side, in the same order."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
import numpy as np

from explorer.ui.encoding import encode_png


def build_comparison_sheet() -> gr.HTML:
    """Build the sheets; choosing a seed in one enlarges it in all."""
    return gr.HTML(
        value={},
        html_template='<div class="lx-compare"></div>',
        js_on_load="LX.comparison(element, {props, watch});",
        apply_default_css=False,
    )


def describe_column(model: str, subtitle: str, images: np.ndarray) -> dict[str, Any]:
    """Describe one model's samples, uint8 (N, H, W, C)."""
    height, width = images.shape[1:3]
    return {
        "model": model,
        "subtitle": subtitle,
        "size": [width, height],
        "frames": [encode_png(image) for image in images],
    }


def describe_comparison(seeds: Sequence[int], columns: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe all columns with the seeds they share."""
    return {"seeds": list(seeds), "columns": columns}
