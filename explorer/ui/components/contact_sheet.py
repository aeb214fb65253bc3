"""A contact sheet of samples with a loupe for the chosen one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr
import numpy as np

from explorer.label_reading import Reading
from explorer.labels import Rows
from explorer.ui.encoding import encode_png
from training.labels import LabelLayout

SCRIPT = """
LX.contactSheet(element, {trigger, props, watch, events: ["use_a", "use_b", "choose"]});
"""


@dataclass(frozen=True)
class SheetLabels:
    """Hold the labels of a sheet's images: a row each, what was read, and the label across.

    ``rows`` and ``readings`` are empty where there are none; ``across`` is "" without one.
    """

    layout: LabelLayout
    rows: Rows = ()
    readings: Sequence[Sequence[Reading]] = ()
    across: str = ""


def build_contact_sheet() -> gr.HTML:
    """Build the sheet; events use_a, use_b and choose carry seed, label row, model, truncation."""
    return gr.HTML(
        value={},
        html_template='<div class="lx-sample"></div>',
        js_on_load=SCRIPT,
        apply_default_css=False,
    )


def describe_sheet(
    model: str, seeds: Sequence[int], truncation: float, images: np.ndarray, labels: SheetLabels
) -> dict[str, Any]:
    """Describe samples, uint8 (N, H, W, C), one per seed, for the sheet."""
    height, width = images.shape[1:3]
    frames = [
        describe_frame(index, seed, image, labels)
        for index, (seed, image) in enumerate(zip(seeds, images, strict=True))
    ]
    return {
        "model": model,
        "truncation": truncation,
        "size": [width, height],
        "frames": frames,
        "axis": describe_axis(labels) if labels.across else None,
    }


def describe_frame(index: int, seed: int, image: np.ndarray, labels: SheetLabels) -> dict[str, Any]:
    """Describe one sample; its key tells it apart on the sheet and from sheet to sheet."""
    row = labels.rows[index] if labels.rows else None
    texts = [] if row is None else list_texts(labels.layout, row)
    column = next((item["text"] for item in texts if item["name"] == labels.across), "")
    return {
        "key": f"{seed} {column}" if labels.across else str(seed),
        "name": f"Seed {seed}, {labels.across} {column}" if labels.across else f"Seed {seed}",
        "seed": seed,
        "row": row,
        "src": encode_png(image),
        "labels": texts,
        "readings": [asdict(one) for one in labels.readings[index]] if labels.readings else None,
    }


def describe_axis(labels: SheetLabels) -> dict[str, Any]:
    """Describe the label across and its values, in the order of the columns."""
    texts = [
        item["text"]
        for row in labels.rows
        for item in list_texts(labels.layout, row)
        if item["name"] == labels.across
    ]
    return {"name": labels.across, "values": list(dict.fromkeys(texts))}


def list_texts(layout: LabelLayout, row: Sequence[float]) -> list[dict[str, str]]:
    """List the values of a row by their labels' names, as texts."""
    return [
        {"name": label.name, "text": label.format(value)}
        for label, value in zip(layout, row, strict=True)
    ]
