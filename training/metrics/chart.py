"""Scores of models as a bar chart in a file."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import MetricError
from training.files import check_output, explain_write_errors, replace_atomically
from training.metrics.evaluation import Evaluation, RepeatedScore

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".svg", ".png")
WIDTH = 7.2  # inches
BAR_HEIGHT, PANEL_MARGIN, PAGE_MARGIN = 0.42, 0.62, 0.75
DOTS_PER_INCH = 200
FLOOR_NOTE = "Dashed: what as many real images score."
MAX_TITLE = 48  # characters
BAR_COLOUR, MARKED_COLOUR = "#7d9bb8", "#34506b"
INK, MUTED, FLOOR_COLOUR = "#22292f", "#5c6670", "#a8442a"
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "svg.hashsalt": "latent-explorer",  # the same file for the same scores
}


@dataclass(frozen=True)
class Bar:
    """Hold a model's score with its error bar from `low` to `high`.

    Bars of one `reference` share a panel and its noise floor: scores against different real images
    do not compare. A marked one is darker.
    """

    name: str
    reference: str
    value: float
    low: float
    high: float
    noise_floor: float
    is_noise_floor_measured: bool
    is_marked: bool = False


@dataclass(frozen=True)
class ChartText:
    """Hold what a chart says beside its bars: the axis' name, the title, and a note below."""

    axis: str
    title: str
    note: str


def check_chart_path(path: Path) -> None:
    """Raise ProjectError unless a chart can be written to this file: format, place, matplotlib."""
    if path.suffix.lower() not in SUFFIXES:
        raise MetricError(
            f"Chart: {path} cannot hold it; name a file that ends in {' or '.join(SUFFIXES)}."
        )
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MetricError(
            "Chart: the package matplotlib is not installed; run `pip install matplotlib`, or leave"
            " --chart out."
        ) from error
    check_output(path)


def draw_evaluations(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Draw one bar per model with the 95 % interval of its score; all have as many samples."""
    first = evaluations[0].score
    bars = [
        Bar(row.name, row.score.reference, row.score.value, *row.score.interval,
            row.score.noise_floor, row.score.is_noise_floor_measured)
        for row in evaluations
    ]  # fmt: skip
    note = "Lower is better. Error bars: 95 % confidence interval."
    title = f"{first.score_name} of {first.num_samples:,} samples per model"
    draw_chart(path, bars, ChartText(first.score_name, title, note))


def draw_repeated(path: Path, results: Sequence[RepeatedScore]) -> None:
    """Draw one bar per model: the mean of its repeated scores and their deviation."""
    first = results[0]
    bars = [
        Bar(row.name, row.reference, row.mean, row.mean - row.deviation, row.mean + row.deviation,
            row.noise_floor, row.is_noise_floor_measured)
        for row in results
    ]  # fmt: skip
    num_sets, size = len(first.scores), first.num_samples
    note = f"Lower is better. Bars: mean of {num_sets} scores; error bars: their standard deviation"
    title = f"{first.score_name} of {num_sets} × {size:,} samples per model"
    draw_chart(path, bars, ChartText(first.score_name, title, f"{note}."))


def draw_chart(path: Path, bars: Sequence[Bar], text: ChartText) -> None:
    """Draw bars, best first, in one panel per reference, and write them as .svg or .png."""
    check_chart_path(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    panels = _group(bars)
    heights = [BAR_HEIGHT * len(panel) + PANEL_MARGIN for panel in panels]
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.07)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, sum(heights) + 2 * PAGE_MARGIN), layout=layout)
        axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=heights)[
            :, 0
        ]
        for panel, axis in zip(panels, axes, strict=True):
            _draw_panel(axis, panel)
        end = max(max(bar.high, bar.noise_floor) for bar in bars)
        axes[-1].set_xlim(0, end * 1.19 if end > 0 else 1)
        axes[-1].set_xlabel(text.axis)
        figure.suptitle(text.title, x=0.014, ha="left", fontsize=12, fontweight="bold")
        figure.supxlabel(
            f"{text.note}\n{FLOOR_NOTE}",
            x=0.014,
            ha="left",
            linespacing=1.4,
            fontsize=8.5,
            color=MUTED,
        )
        kind = path.suffix.lower().removeprefix(".")
        metadata = {"Date": None} if kind == "svg" else None
        with explain_write_errors(path), replace_atomically(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)


def _group(bars: Sequence[Bar]) -> list[list[Bar]]:
    """Group bars by reference, panels and bars in order of the score."""
    panels: dict[str, list[Bar]] = {}
    for bar in sorted(bars, key=lambda bar: bar.value):
        panels.setdefault(bar.reference, []).append(bar)
    return list(panels.values())


def _draw_panel(axis: "Axes", bars: list[Bar]) -> None:
    places = range(len(bars))
    values = [bar.value for bar in bars]
    errors = [[bar.value - bar.low for bar in bars], [bar.high - bar.value for bar in bars]]
    colours = [MARKED_COLOUR if bar.is_marked else BAR_COLOUR for bar in bars]
    axis.barh(places, values, height=0.62, color=colours, zorder=2)
    style: dict[str, Any] = {"fmt": "none", "ecolor": INK, "elinewidth": 1.1, "capsize": 3}
    axis.errorbar(values, places, xerr=errors, zorder=3, **style)
    for place, bar in zip(places, bars, strict=True):
        error = _round(max(bar.high - bar.value, bar.value - bar.low), scale=bar.value)
        axis.annotate(
            f"{_round(bar.value)} ± {error}",
            (bar.high, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9,
        )  # fmt: skip
    _draw_floor(axis, bars[0])
    axis.set_yticks(places, [bar.name for bar in bars])
    axis.set_ylim(len(bars) - 0.45, -0.55)
    axis.set_title(
        textwrap.shorten(bars[0].reference, MAX_TITLE, placeholder=" …"),
        loc="left",
        fontsize=10,
        color=MUTED,
    )
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color="#e3e6e9", linewidth=0.8, zorder=0)
    axis.spines[["top", "right", "left"]].set_visible(False)


def _draw_floor(axis: "Axes", bar: Bar) -> None:
    """Draw what real images score as a dashed line, named in its colour above the panel."""
    axis.axvline(
        bar.noise_floor, color=FLOOR_COLOUR, linestyle=(0, (4, 3)), linewidth=1.3, zorder=4
    )
    mark = "" if bar.is_noise_floor_measured else "~"
    name = f"noise floor {mark}{_round(bar.noise_floor)}"
    axis.set_title(name, loc="right", fontsize=9, color=FLOOR_COLOUR)


def _round(value: float, scale: float | None = None) -> str:
    """Round to one decimal, or to two where `scale`, by default the value, is below 10."""
    is_small = abs(value if scale is None else scale) < 10
    return f"{value:.{2 if is_small else 1}f}"
