"""The trainings in a folder: a list, and of the chosen one its curves and samples as they come."""

import math
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from explorer.curves import pick_extremes, smooth_series
from explorer.metrics_log import FIDELITY_PREFIX, NumberTable, Rewind
from explorer.numbers import format_count, format_score, format_seconds
from explorer.run_goal import Goal
from explorer.runs import RunHistory, RunSummary
from explorer.ui.components.empty_notice import START_COMMAND
from training.models import MODELS
from training.place_names import shorten_place
from training.rewind import MAX_REWINDS

# More digits than a chart can show would only be more bytes.
SIGNIFICANT_DIGITS = 5
MAX_SCORES = 400
MAX_SERIES = 4  # of a chart: so many kinds of lines there are
# Columns of a row that say when it was written, not how the training goes.
PLACES = ("step", "images_seen", "seconds")


@dataclass(frozen=True)
class Panel:
    """Describe a chart of columns of the metrics: title, a name for each column, and its range.

    What is set, and not measured, is drawn as it is, in a ``unit``, and only if it changes.
    """

    title: str
    columns: dict[str, str]
    is_from_zero: bool = False
    is_set: bool = False
    unit: float = 1.0


PANELS = (
    Panel("Losses", {"loss_g": "generator", "loss_d": "discriminator"}),
    Panel("What the discriminator answers", {"d_real": "to real images", "d_fake": "to samples"}),
    Panel("Gradient penalty", {"penalty": "penalty"}),
    Panel("The discriminator's accuracy", {"d_accuracy": "right", "d_skipped": "steps left out"}),
    Panel(
        "Losses of the labels",
        {"loss_labels": "asked of the generator", "loss_predictor": "of the predictor"},
    ),
    Panel("Images per second", {"images_per_second": "images per second"}, True),
    Panel("Memory (MB)", {"memory_mb": "of the process", "gpu_memory_mb": "most on the GPU"}, True),
    Panel(
        "Learning rates (in 0.0001)",
        {"learning_rate_g": "generator", "learning_rate_d": "discriminator"},
        is_from_zero=True,
        is_set=True,
        unit=1e-4,
    ),
)

# How far a run is, by the column of its goal.
GOAL_TEXTS: dict[str, Callable[[str, RunSummary, Goal], str]] = {
    "step": lambda step, _, goal: f"{step} of {goal.value:,.0f}",
    "images_seen": lambda step, run, goal: (
        f"{step}, {run.images_seen / 1000:,.4g} of {goal.value / 1000:,.4g} kimg"
    ),
    "seconds": lambda step, run, goal: (
        f"{step}, {format_seconds(run.seconds)} of {format_seconds(goal.value)}"
    ),
}


def build_run_watch(
    look_at_runs: Callable[[dict[str, Any]], dict[str, Any]],
    read_grid: Callable[[dict[str, Any]], dict[str, Any]],
) -> gr.HTML:
    """Build the section; the page calls both functions while the section is in sight."""
    return gr.HTML(
        value={},
        html_template='<section class="lx-runs" aria-label="Training runs"></section>',
        js_on_load="LX.runWatch(element, {server});",
        server_functions=[look_at_runs, read_grid],
        apply_default_css=False,
    )


def describe_start(folder: Path) -> dict[str, str]:
    """Say what the page shows while there is no run: where it looked, and how to start one."""
    # The trainer's own default needs no flag.
    flag = "" if folder == Path("runs") else f" --runs {shlex.quote(str(folder))}"
    return {"folder": str(folder), "command": START_COMMAND + flag}


def describe_summary(run: RunSummary) -> dict[str, Any]:
    """Describe a run for the list, as plain JSON values."""
    spec = MODELS.get(run.model)
    size = f"{run.resolution} × {run.resolution}" if run.resolution else ""
    parts = (spec.title if spec else run.model, size, shorten_place(run.data))
    left = format_seconds(run.seconds_left)
    return {
        "name": run.name,
        "subtitle": ", ".join(part for part in parts if part),
        "is_running": run.is_running,
        "state": describe_state(run),
        "share": run.share,
        "progress": describe_progress(run),
        "left": f"{left} left" if left else "",
        "score": run.score,
        "score_name": run.score_name,
        "problem": run.problem,
    }


def describe_state(run: RunSummary) -> str:
    """Say in a word whether a run goes on."""
    if run.is_running:
        return "running"
    return "finished" if run.share == 1 else "stopped"


def describe_progress(run: RunSummary) -> str:
    """Say how far a run is: its step, and the goal in the goal's own unit."""
    step = f"step {run.step:,}"
    if run.goal is None:
        return step
    return GOAL_TEXTS[run.goal.column](step, run, run.goal)


def describe_run(name: str, history: RunHistory) -> dict[str, Any]:
    """Describe the chosen run: facts, charts and where its grids of samples are."""
    return {
        "name": name,
        "version": history.version,
        "facts": list_facts(history),
        "charts": [
            *describe_scores(history),
            *describe_fidelities(history.scores),
            *describe_losses(history.losses),
        ],
        "grids": list(history.grids.items()),
        "damage": describe_damage(history.num_damaged),
    }


def list_facts(history: RunHistory) -> list[tuple[str, str]]:
    """List what is worth saying beside the curves, as terms and texts."""
    losses = history.losses
    facts = [
        ("Images seen", format_count(losses.get_last("images_seen"))),
        ("Training time", format_seconds(losses.get_last("seconds"))),
        ("Images per second", format_count(losses.get_last("images_per_second"))),
        (history.score_name or "Score", describe_last_score(history)),
        *map(describe_rewind, history.rewinds),
    ]
    return [(term, text) for term, text in facts if text is not None]


def describe_last_score(history: RunHistory) -> str:
    """Say the last score with all that is needed to judge it, or why there is none."""
    score, low, high, num_samples, floor = map(
        history.scores.get_last, ("score", "low", "high", "num_samples", "noise_floor")
    )
    if score is None:
        return "not scored yet" if history.takes_scores else "not taken in this run"
    parts = [format_score(score)]
    if low is not None and high is not None:
        parts.append(f"95 % interval {format_score(low)} to {format_score(high)}")
    if num_samples is not None:
        parts.append(f"{num_samples:,.0f} samples")
    if floor is not None:
        parts.append(f"noise floor {format_score(floor)}")
    return ", ".join(parts)


def describe_rewind(rewind: Rewind) -> tuple[str, str]:
    """Say that a training went back, and why, as a term and a text."""
    return (
        f"Rewind {rewind.number} of {MAX_REWINDS}",
        f"{rewind.reason}: went back to step {rewind.step:,} with both learning rates halved",
    )


def describe_damage(num_damaged: int) -> str:
    """Say how many lines could not be read, nothing if all could."""
    if not num_damaged:
        return ""
    lines = "1 line" if num_damaged == 1 else f"{num_damaged:,} lines"
    return f"Left out of metrics.jsonl: {lines} that cannot be read."


def describe_scores(history: RunHistory) -> list[dict[str, Any]]:
    """Describe the chart of scores with intervals and noise floors; none before the first."""
    steps, values = history.scores.get_curve("score")
    if not len(steps):
        return []
    is_scored = np.isfinite(history.scores.get_column("score"))
    kept = pick_extremes(values, MAX_SCORES)
    low, high, floor = (
        history.scores.get_column(name)[is_scored][kept] for name in ("low", "high", "noise_floor")
    )
    series = {
        "name": history.score_name,
        "points": pack(steps[kept], values[kept]),
        "band": pack(steps[kept], low, high),
        "floors": pack(steps[kept], floor),
    }
    title = f"{history.score_name} (lower is better)"
    return [{"key": "score", "title": title, "series": [series], "fromZero": True}]


def describe_fidelities(scores: NumberTable) -> list[dict[str, Any]]:
    """Describe charts of how well a stranger reads each label; none without labels."""
    names = [name for name in scores.names if name.startswith(FIDELITY_PREFIX)]
    if not names:
        return []
    curves = [(name.removeprefix(FIDELITY_PREFIX), *scores.get_curve(name)) for name in names]
    series = [
        {"name": label.replace("_", " "), "points": pack(steps, values)}
        for label, steps, values in curves
    ]
    title = "Labels read right by a stranger (numbers: rank correlation)"
    parts = [series[start : start + MAX_SERIES] for start in range(0, len(series), MAX_SERIES)]
    return [
        {
            "key": f"labels-{number}",
            "title": title if len(parts) == 1 else f"{title}, {number} of {len(parts)}",
            "series": part,
            "fromZero": True,
        }
        for number, part in enumerate(parts, 1)
    ]


def describe_losses(losses: NumberTable) -> list[dict[str, Any]]:
    """Describe a chart for every panel that has numbers, and one for each column without panel."""
    known = {column for panel in PANELS for column in panel.columns}
    others = [name for name in losses.names if name not in known and name not in PLACES]
    panels = [*PANELS, *(Panel(name, {name: name}) for name in others)]
    charts = []
    for panel in panels:
        if panel.is_set:
            curves = describe_settings(losses, panel)
        else:
            curves = [describe_curve(losses, key, name) for key, name in panel.columns.items()]
        if series := [curve for curve in curves if curve["points"]]:
            key = next(iter(panel.columns))
            charts.append(
                {"key": key, "title": panel.title, "series": series, "fromZero": panel.is_from_zero}
            )
    return charts


def describe_curve(losses: NumberTable, column: str, name: str) -> dict[str, Any]:
    """Describe a column as the smoothed curve and the extremes behind it; empty if it is all 0."""
    steps, values = losses.get_curve(column)
    if not values.any():
        return {"name": name, "points": [], "raw": []}
    kept = pick_extremes(values)
    smoothed = smooth_series(steps, values)
    return {"name": name, "points": pack(*smoothed), "raw": pack(steps[kept], values[kept])}


def describe_settings(losses: NumberTable, panel: Panel) -> list[dict[str, Any]]:
    """Describe columns of settings as they are, none if all of them stay what they were."""
    curves = [(name, *losses.get_curve(key)) for key, name in panel.columns.items()]
    if not any((values != values[:1]).any() for _, _, values in curves):
        return []
    found = []
    for name, steps, values in curves:
        kept = pick_extremes(values)
        found.append({"name": name, "points": pack(steps[kept], values[kept] / panel.unit)})
    return found


def pack(steps: np.ndarray, *columns: np.ndarray) -> list[list[float | None]]:
    """Pack points as lists of step and values of few digits; what is not a number becomes None."""
    rows = zip(steps.tolist(), *(column.tolist() for column in columns), strict=True)
    return [[step, *map(shorten, values)] for step, *values in rows]


def shorten(value: float) -> float | None:
    """Round to the digits that a chart can show; None for what is not finite."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None
