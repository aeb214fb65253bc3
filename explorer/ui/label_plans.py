"""From what the controls of labels hold to what is made: a sheet's images, a morph's stops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.labels import Rows, choose_sheet, choose_stops, count_columns
from explorer.ui.components.label_panel import read_panel
from explorer.ui.context import AppContext
from training.errors import ConfigError
from training.labels import ClassLabel, LabelLayout

# Larger sheets take long to make and are too large to look at.
MAX_SHEET_IMAGES = 96
Panel = Mapping[str, Any] | None


@dataclass(frozen=True)
class SheetPlan:
    """Hold a seed and a label row for each image of a sheet; ``across`` goes along its columns.

    ``note`` says what is not as it was asked for.
    """

    layout: LabelLayout
    seeds: tuple[int, ...]
    rows: Rows
    across: str = ""
    columns: int = 0
    note: str = ""


@dataclass(frozen=True)
class MorphPlan:
    """Hold the stops of a morph: a seed, a label row if there are labels, and a text for each.

    ``kind`` says what they are: values of a label that is swept ("class" or "number"), seeds on
    the way ("seed"), or both ends alone ("").
    """

    seeds: tuple[int, ...]
    rows: Rows
    texts: tuple[str, ...]
    kind: str = ""


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
    num_across = count_columns(context.sampler, model, across)
    if num_across > MAX_SHEET_IMAGES:
        raise ConfigError(
            f"{across} has {num_across} values, too many to lie side by side: choose another label."
        )
    kept = seeds[: MAX_SHEET_IMAGES // num_across]
    places, rows, columns = choose_sheet(context.sampler, model, kept, chosen, across)
    note = f"{len(kept)} of {len(seeds)} seeds: a sheet has {MAX_SHEET_IMAGES} images at most."
    return SheetPlan(layout, places, rows, across, columns, note if len(kept) < len(seeds) else "")


def plan_morph(
    context: AppContext,
    model: str,
    seeds: tuple[int, ...],
    panels: tuple[Panel, Panel],
    sweep: str | None,
) -> MorphPlan:
    """Plan a morph through seeds, with labels at both ends, or a sweep of a label at the first one.

    Labels without a value are the first seed's at A, and A's at B.
    """
    layout = get_layout(context, model)
    start, end = (read_panel(panel, layout) for panel in panels)
    swept = sweep if sweep in layout.names else ""
    if swept:  # what is behind A says nothing then
        seeds, end = seeds[:1], {}
    stops, rows = choose_stops(context.sampler, model, seeds, start, end, swept or "")
    if not swept:
        return MorphPlan(stops, rows, tuple(map(str, stops)), "seed" if len(stops) > 2 else "")
    label, column = layout.find(swept), layout.names.index(swept)
    texts = tuple(label.format(row[column]) for row in rows)
    return MorphPlan(stops, rows, texts, "class" if isinstance(label, ClassLabel) else "number")


def get_layout(context: AppContext, model: str) -> LabelLayout:
    """Return the labels that a model takes."""
    return context.sampler.get_header(model).model.labels
