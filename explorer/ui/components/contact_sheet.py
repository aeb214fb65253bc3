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
LX.contactSheet(element, {trigger, props, watch, events: ["use_a", "use_b"]});
"""


@dataclass(frozen=True)
class SheetLabels:
    """Hold the labels of a sheet's images: a row each, what was read, and the label across.

    ``rows`` and ``readings`` are empty where there are none; ``across`` is "" without one, else
    its values make ``columns`` columns.
    """

    layout: LabelLayout
    rows: Rows = ()
    readings: Sequence[Sequence[Reading]] = ()
    across: str = ""
    columns: int = 0


def build_contact_sheet() -> gr.HTML:
    """Build the sheet; its events carry seed, label row, model, checkpoint and truncation."""
    return gr.HTML(
        value={},
        html_template='<div class="lx-sample"></div>',
        js_on_load=SCRIPT,
        apply_default_css=False,
    )


def describe_sheet(
    model: str,
    checkpoint: str,
    seeds: Sequence[int],
    truncation: float,
    images: np.ndarray,
    labels: SheetLabels,
) -> dict[str, Any]:
    """Describe samples, uint8 (N, H, W, C), one per seed, and the weights they are of."""
    height, width = images.shape[1:3]
    frames = [
        describe_frame(index, seed, image, labels)
        for index, (seed, image) in enumerate(zip(seeds, images, strict=True))
    ]
    return {
        "model": model,
        "checkpoint": checkpoint,
        "truncation": truncation,
        "size": [width, height],
        "frames": frames,
        "axis": describe_axis(labels) if labels.across else None,
    }


def describe_frame(index: int, seed: int, image: np.ndarray, labels: SheetLabels) -> dict[str, Any]:
    """Describe one sample; its key tells it apart on the sheet and from sheet to sheet."""
    row = labels.rows[index] if labels.rows else None
    texts = [] if row is None else list_texts(labels.layout, row)
    name, key = f"Seed {seed}", str(seed)
    if labels.across:
        place = labels.layout.names.index(labels.across)
        name = f"Seed {seed}, {labels.across} {texts[place]['text']}"
        key = f"{seed} in column {index % labels.columns}"
    return {
        "key": key,
        "name": name,
        "seed": seed,
        "row": row,
        "src": encode_png(image),
        "labels": texts,
        "readings": [asdict(one) for one in labels.readings[index]] if labels.readings else None,
    }


def describe_axis(labels: SheetLabels) -> dict[str, Any]:
    """Describe the label across and its values, in the order of the columns."""
    place = labels.layout.names.index(labels.across)
    label = labels.layout.labels[place]
    columns = [label.format(row[place]) for row in labels.rows[: labels.columns]]
    return {"name": labels.across, "columns": columns}


def list_texts(layout: LabelLayout, row: Sequence[float]) -> list[dict[str, str]]:
    """List the values of a row by their labels' names, as texts."""
    return [
        {"name": label.name, "text": label.format(value)}
        for label, value in zip(layout, row, strict=True)
    ]
