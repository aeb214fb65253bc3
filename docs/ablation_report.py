"""Results of the ablation: the lines of docs/ablation.jsonl, and their table and chart."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from docs.case_runs import append_json_line, read_json_lines
from training.metrics.chart import Bar, ChartText, draw_chart

BAR_NOTE = (
    "Bars: mean over the seeds; error bars: their range, or the 95 % interval of a single one"
)


@dataclass(frozen=True)
class Row:
    """Name a setting: a model and the options beside those all rows share.

    ``base`` is the row that it is compared with.
    """

    key: str
    title: str
    model: str
    options: dict[str, Any]
    base: str | None


@dataclass(frozen=True)
class Line:
    """Hold one finished run; scores are as ``describe_score`` returns them, None if it diverged.

    ``setting`` has every option that tells runs apart: a line of other options is of another run.
    """

    row: str
    seed: int
    setting: dict[str, Any]
    steps: int
    images_seen: int
    minutes: float
    device: str
    last: dict[str, Any] | None
    best: dict[str, Any] | None
    best_step: int | None
    error: str | None = None


def read_lines(path: Path) -> list[Line]:
    """Read the finished runs; none if there is no file."""
    return [Line(**item) for item in read_json_lines(path)]


def append_line(path: Path, line: Line) -> None:
    """Add a finished run, the file whole or as it was."""
    append_json_line(path, asdict(line))


def format_table(rows: Sequence[Row], lines: Sequence[Line]) -> str:
    """Lay the finished runs out as a Markdown table, a row per setting in their order."""
    table = [
        "| row | setting | seeds | last generator | best checkpoint | last, against its base "
        "| generator steps | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        own = _select(lines, row.key)
        if not own:
            continue
        base = _select(lines, row.base) if row.base else []
        cells = (
            row.key,
            row.title,
            f"{len(own)}{_describe_failures(own)}",
            _format_scores([line.last for line in own]),
            _format_scores([line.best for line in own]),
            _format_difference(own, base, row.base),
            f"{max(line.steps for line in own):,}",
            f"{mean(line.minutes for line in own):.0f}",
        )
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table)


def format_page_part(rows: Sequence[Row], lines: Sequence[Line], chart: str) -> str:
    """Describe the finished runs: how many, on what, the chart, and the table."""
    if not lines:
        return "No run has finished yet."
    devices = " and ".join(sorted({line.device for line in lines}))
    first = next((line.last for line in lines if line.last), None)
    num_rows = sum(bool(_select(lines, row.key)) for row in rows)
    text = f"{len(lines)} runs of {num_rows} of {len(rows)} settings, on {devices}."
    if first is None:
        return f"{text}\n\n{format_table(rows, lines)}"
    mark = "" if first["is_noise_floor_measured"] else "~"
    text += (
        f" The score is {first['score_name']} of {first['num_samples']:,} samples against "
        f"{first['reference']}; real images score {mark}{first['noise_floor']:.1f}."
    )
    picture = f"![Mean score of the last generator of each setting]({chart})"
    return f"{text}\n\n{picture}\n\n{format_table(rows, lines)}"


def build_bars(rows: Sequence[Row], lines: Sequence[Line]) -> list[Bar]:
    """Build a bar per setting that has a score: the mean of its last generators over the seeds.

    Those that the others are compared to are marked.
    """
    bars = []
    for row in rows:
        scores = [line.last for line in _select(lines, row.key) if line.last is not None]
        if not scores:
            continue
        values = [float(score["score"]) for score in scores]
        low, high = scores[0]["interval"] if len(values) == 1 else (min(values), max(values))
        floor, is_measured = scores[0]["noise_floor"], scores[0]["is_noise_floor_measured"]
        reference = scores[0]["reference"]
        is_base = row.base is None
        bars.append(Bar(row.key, reference, mean(values), low, high, floor, is_measured, is_base))
    return bars


def draw_ablation(path: Path, rows: Sequence[Row], lines: Sequence[Line]) -> None:
    """Draw the chart, if any setting has a score."""
    bars = build_bars(rows, lines)
    scores = [line.last for line in lines if line.last is not None]
    if not bars:
        return
    name, num_samples = scores[0]["score_name"], scores[0]["num_samples"]
    title = f"{name} of {num_samples:,} samples, by what is changed"
    note = f"Lower is better. Dark: what the others are compared to.\n{BAR_NOTE}."
    draw_chart(path, bars, ChartText(name, title, note))


def _select(lines: Sequence[Line], key: str | None) -> list[Line]:
    """Return the lines of a row, the newest of each seed."""
    newest = {line.seed: line for line in lines if line.row == key}
    return [newest[seed] for seed in sorted(newest)]


def _describe_failures(lines: Sequence[Line]) -> str:
    num_failed = sum(line.error is not None for line in lines)
    return f" ({num_failed} diverged)" if num_failed else ""


def _format_scores(scores: Sequence[dict[str, Any] | None]) -> str:
    """Write the mean and range of several scores, or one with its 95 % interval."""
    found = [score for score in scores if score is not None]
    if not found:
        return "none"
    values = [float(score["score"]) for score in found]
    if len(values) == 1:
        low, high = found[0]["interval"]
        return f"{values[0]:.1f} [{low:.1f}, {high:.1f}]"
    width = max(abs(end - score["score"]) for score in found for end in score["interval"])
    return f"{mean(values):.1f} ({min(values):.1f} to {max(values):.1f}), each ± {width:.1f}"


def _format_difference(own: Sequence[Line], base: Sequence[Line], name: str | None) -> str:
    """Write the mean difference to the base over the seeds that both have."""
    wanted = {line.seed: line.last["score"] for line in base if line.last}
    pairs = [(line.last["score"], wanted.get(line.seed)) for line in own if line.last]
    differences = [score - other for score, other in pairs if other is not None]
    return f"{mean(differences):+.1f} ({name})" if differences else ""
