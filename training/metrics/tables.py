"""Scores and metrics as tables of text and as JSON."""

import json
from collections.abc import Sequence

from training.metrics.evaluation import Evaluation, Measured, RepeatedScore
from training.metrics.score import Score
from training.tables import format_table


def format_scores(scores: Sequence[tuple[str, Score]]) -> str:
    """Lay named scores out as a table; "~" marks a noise floor that is extrapolated."""
    rows = [
        ("model", "score", "95 % interval", "infinite N", "95 % interval", "noise floor",
         "samples", "name", "reference")
    ]  # fmt: skip
    for name, score in scores:
        rows.append((
            name,
            f"{score.value:.2f}",
            _format_interval(score.interval),
            f"{score.infinite_n:.2f}",
            _format_interval(score.infinite_n_interval),
            format_floor(score.noise_floor, score.is_noise_floor_measured),
            f"{score.num_samples:,}",
            score.score_name,
            score.reference,
        ))  # fmt: skip
    return format_table(rows)


def format_metrics(evaluations: Sequence[Evaluation]) -> str:
    """Lay metrics out as a table, each with its standard error; below, what real images get.

    Real images of one reference at one number of samples get one row.
    """
    keys = list(dict.fromkeys(key for row in evaluations for key in row.metrics))
    titles = {key: row.metrics[key].title for row in evaluations for key in row.metrics}
    rows = [["model", *(titles[key] for key in keys)]]
    real: dict[tuple[str, ...], None] = {}
    for row in evaluations:
        rows.append([row.name, *(_format_measured(row.metrics.get(key)) for key in keys)])
        values = (_format_real(row.metrics.get(key)) for key in keys)
        real[(f"real images: {row.score.reference}", *values)] = None
    return format_table([*rows, *real])


def format_evaluations(evaluations: Sequence[Evaluation]) -> str:
    """Lay out what `evaluate` found: scores, then metrics if there are any."""
    scores = format_scores([(row.name, row.score) for row in evaluations])
    if not any(row.metrics for row in evaluations):
        return scores
    return f"{scores}\n\n{format_metrics(evaluations)}"


def format_repeated(results: Sequence[RepeatedScore]) -> str:
    """Lay the means and deviations of repeated scores out as a table."""
    rows = [("model", "mean", "deviation", "noise floor", "samples", "name", "reference")]
    for row in results:
        rows.append((
            row.name,
            f"{row.mean:.2f}",
            f"{row.deviation:.2f}",
            format_floor(row.noise_floor, row.is_noise_floor_measured),
            f"{len(row.scores)} x {row.num_samples:,}",
            row.score_name,
            row.reference,
        ))  # fmt: skip
    return format_table(rows)


def format_as_json(results: Sequence[Evaluation] | Sequence[RepeatedScore]) -> str:
    """Write results as a JSON list, one object per model."""
    return json.dumps([row.to_dict() for row in results], indent=2)


def format_floor(noise_floor: float, is_measured: bool) -> str:
    """Return a noise floor with two decimals, after a "~" where it is extrapolated."""
    return f"{'' if is_measured else '~'}{noise_floor:.2f}"


def _format_interval(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:.2f}, {interval[1]:.2f}]"


def _format_measured(metric: Measured | None) -> str:
    if metric is None:
        return "-"
    error = "" if metric.standard_error is None else f" ± {metric.standard_error:z.4f}"
    return f"{metric.value:z.4f}{error}"


def _format_real(metric: Measured | None) -> str:
    return "-" if metric is None or metric.real is None else f"{metric.real:z.4f}"
