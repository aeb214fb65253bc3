"""The controls of labels in a tab, which follow the model that is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from explorer.ui.components.label_panel import describe_panel, read_row
from explorer.ui.context import LINES, PRIVATE, AppContext, Page
from explorer.ui.errors import show_project_errors
from explorer.ui.label_plans import get_layout


@dataclass(frozen=True)
class LabelControls:
    """Hold a tab's controls of labels: panels, and a label to sweep.

    ``none`` is what the list of labels to sweep calls having none.
    """

    group: gr.Column
    panels: tuple[gr.HTML, ...]
    sweep: gr.Dropdown
    none: str

    @property
    def outputs(self) -> list[Any]:
        """Return the widgets in the order of `follow`."""
        return [self.group, *self.panels, self.sweep]

    def follow(self, context: AppContext, model: str | None, values: Sequence[Any]) -> list[Any]:
        """Return updates for the labels of a model; values chosen stay where they are possible.

        ``values`` are what panels and the list hold now.
        """
        *panels, sweep = values
        layout = get_layout(context, model) if model else None
        if layout is None or not len(layout):
            return [gr.Column(visible=False), *(gr.skip() for _ in panels), gr.skip()]
        choices = [(self.none, ""), *((name.replace("_", " "), name) for name in layout.names)]
        kept = sweep if sweep in layout.names else ""
        described = [describe_panel(panel, layout) for panel in panels]
        return [gr.Column(visible=True), *described, gr.Dropdown(choices, value=kept)]


def set_row(context: AppContext, panel: dict[str, Any], model: str, row: Any) -> dict[str, Any]:
    """Return a panel's value with all labels of a row chosen, if there is one; ConfigError."""
    layout = get_layout(context, model)
    if not row:
        return describe_panel(panel, layout)
    values = read_row(row)
    layout.check(values)
    return describe_panel(panel, layout, dict(zip(layout.names, values, strict=True)))


def connect_label_controls(
    context: AppContext, page: Page, model: gr.Dropdown, controls: LabelControls
) -> None:
    """Let the controls follow the model, now and when the page opens."""

    @show_project_errors
    def follow(model: str | None, *values: Any) -> list[Any]:
        return controls.follow(context, model, values)

    inputs = [model, *controls.panels, controls.sweep]
    # One line for both: the answer for the model that was there first must not come last.
    model.change(follow, inputs, controls.outputs, **LINES["labels"], **PRIVATE)
    page.on_load(follow, inputs, controls.outputs, LINES["labels"])
