"""From what the controls of labels hold to what is made: a sheet's images, a morph's stops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.labels import NUM_SHEET_STOPS, Rows, choose_sheet, choose_stops
from explorer.ui.components.label_panel import read_panel
from explorer.ui.context import AppContext
from training.labels import LabelLayout

# Larger sheets take long to make and are too large to look at.
MAX_SHEET_IMAGES = 96
Panel = Mapping[str, Any] | None


@dataclass(frozen=True)
class SheetPlan:
    """Hold a seed and a label row for each image of a sheet; ``across`` goes along its columns."""

    layout: LabelLayout
    seeds: tuple[int, ...]
    rows: Rows
    across: str = ""
    columns: int = 0


@dataclass(frozen=True)
class MorphPlan:
    """Hold the stops of a morph: a seed, a label row if there are labels, and a text for each."""

    seeds: tuple[int, ...]
    rows: Rows
    texts: tuple[str, ...]
    is_sweep: bool = False


def plan_sheet(
    context: AppContext, model: str, seeds: Sequence[int], panel: Panel, across: str | None
) -> SheetPlan:
    """Plan a sheet of seeds with the labels chosen, or of seeds by all values of a label.

    A label that the model does not have is that of another, and left out.
    """
    layout = get_layout(context, model)
    chosen = read_panel(panel, layout)
    if across not in layout.names:
        return SheetPlan(layout, *choose_sheet(context.sampler, model, seeds, chosen)[:2])
    num_across = len(layout.find(across).list_stops(NUM_SHEET_STOPS))
    kept = seeds[: max(1, MAX_SHEET_IMAGES // num_across)]
    places, rows, columns = choose_sheet(context.sampler, model, kept, chosen, across)
    return SheetPlan(layout, places, rows, across, columns)


def plan_morph(
    context: AppContext,
    model: str,
    ends: tuple[int, int],
    panels: tuple[Panel, Panel],
    sweep: str | None,
) -> MorphPlan:
    """Plan a morph between two seeds and their labels, or a sweep of a label at the first seed.

    Labels without a value are the first seed's at A, and A's at B.
    """
    layout = get_layout(context, model)
    start, end = (read_panel(panel, layout) for panel in panels)
    swept = sweep if sweep in layout.names else ""
    seeds, rows = choose_stops(context.sampler, model, ends, start, end, swept or "")
    if not swept:
        return MorphPlan(seeds, rows, tuple(map(str, seeds)))
    label, column = layout.find(swept), layout.names.index(swept)
    texts = tuple(label.format(row[column]) for row in rows)
    return MorphPlan(seeds, rows, texts, is_sweep=True)


def get_layout(context: AppContext, model: str) -> LabelLayout:
    """Return the labels that a model takes."""
    return context.sampler.get_header(model).model.labels
