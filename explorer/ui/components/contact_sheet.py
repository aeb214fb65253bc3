"""A contact sheet of samples with a loupe for the chosen one."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
import numpy as np

from explorer.ui.encoding import encode_png

SCRIPT = """
LX.contactSheet(element, {trigger, props, watch, events: ["use_a", "use_b", "choose"]});
"""


def build_contact_sheet() -> gr.HTML:
    """Build the sheet; events use_a, use_b and choose carry seed, model and truncation."""
    return gr.HTML(
        value={},
        html_template='<div class="lx-sample"></div>',
        js_on_load=SCRIPT,
        apply_default_css=False,
    )


def describe_sheet(
    model: str, seeds: Sequence[int], truncation: float, images: np.ndarray
) -> dict[str, Any]:
    """Describe samples, uint8 (N, H, W, C), one per seed, for the sheet."""
    height, width = images.shape[1:3]
    frames = [
        {"seed": seed, "src": encode_png(image)} for seed, image in zip(seeds, images, strict=True)
    ]
    return {"model": model, "truncation": truncation, "size": [width, height], "frames": frames}
