"""Controls made from a model's labels: a choice for classes, a slider for numbers."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from training.errors import ConfigError
from training.labels import ClassLabel, Label, LabelLayout, NumberLabel
from training.numbers import read_number


def build_label_panel(title: str, unset: str, render: bool = True) -> gr.HTML:
    """Build the controls; event input tells that the hand changed one.

    ``unset`` says what holds for a label without a value, such as "by seed".
    """
    return gr.HTML(
        value={"title": title, "unset": unset, "labels": [], "chosen": {}},
        html_template='<div class="lx-labels"></div>',
        js_on_load="LX.labelPanel(element, {trigger, props, watch});",
        apply_default_css=False,
        render=render,
    )


def describe_panel(
    panel: Mapping[str, Any] | None, layout: LabelLayout, chosen: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Describe the controls of a layout, keeping what is chosen where the layout has it too.

    Classes are held by name: another model may have them in another order.
    """
    values = read_panel(panel, layout) if chosen is None else chosen
    kept = {
        name: label.format(value) if isinstance(label := layout.find(name), ClassLabel) else value
        for name, value in values.items()
    }
    return {
        "title": str((panel or {}).get("title", "")),
        "unset": str((panel or {}).get("unset", "")),
        "labels": [describe_label(label) for label in layout],
        "chosen": kept,
    }


def describe_label(label: Label) -> dict[str, Any]:
    """Describe a label as what the page needs for its control."""
    if isinstance(label, ClassLabel):
        return {"name": label.name, "values": list(label.values)}
    assert isinstance(label, NumberLabel)
    stops = label.list_stops(2)
    is_whole = all(float(value).is_integer() for value in label.quantiles)
    step = 1 if is_whole and label.high - label.low >= 10 else (label.high - label.low) / 100
    return {
        "name": label.name,
        "low": label.low,
        "high": label.high,
        "step": step,
        "middle": (stops[0] + stops[1]) / 2,
    }


def read_panel(panel: Mapping[str, Any] | None, layout: LabelLayout) -> dict[str, float]:
    """Read what is chosen; values that the layout does not have are those of another model."""
    chosen = (panel or {}).get("chosen")
    found: dict[str, float] = {}
    for label in layout:
        value = chosen.get(label.name) if isinstance(chosen, dict) else None
        try:
            if isinstance(label, ClassLabel):
                if isinstance(value, str):
                    found[label.name] = label.parse(value)
            elif (number := read_number(value)) is not None:
                label.check(number)
                found[label.name] = number
        except ConfigError:
            continue
    return found


def read_row(row: Any) -> tuple[float, ...]:
    """Read a row of label values that the page sent back; raises ConfigError."""
    values = [read_number(value) for value in row] if isinstance(row, list) else [None]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        raise ConfigError("The page sent labels that are no numbers: reload it.")
    return tuple(numbers)
