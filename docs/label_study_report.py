"""Results of the study of labels: the lines of docs/label_study.jsonl as a table."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any


@dataclass(frozen=True)
class Row:
    """Name a setting and what it changes."""

    key: str
    title: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class Line:
    """Hold one finished run of a model with one label of classes.

    ``score`` is as ``describe_score`` returns it, ``labels`` as a score row has them, with the
    share read right of each class; None if the training diverged.
    """

    row: str
    seed: int
    setting: dict[str, Any]
    steps: int
    minutes: float
    device: str
    score: dict[str, Any] | None
    labels: list[dict[str, Any]] | None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the line as plain JSON values."""
        return asdict(self)


def format_results(rows: Sequence[Row], lines: Sequence[Line]) -> str:
    """Describe the finished runs: how many, on what, and the table."""
    sound = [line for line in lines if line.labels]
    if not sound:
        return "No run has finished yet."
    first = sound[0]
    assert first.score is not None
    assert first.labels is not None
    devices = ", ".join(sorted({line.device for line in lines}))
    num_rows = len({line.row for line in lines})
    real = first.labels[0]["reader_on_real"]
    text = (
        f"{len(lines)} runs of {num_rows} of {len(rows)} settings, on {devices}. The reader reads "
        f"{100 * real['value']:.1f} % of {real['num_images']:,} real images right that it did not "
        f"learn from. The score is {first.score['score_name']} of {first.score['num_samples']:,} "
        f"samples; real images score {first.score['noise_floor']:.1f}."
    )
    return f"{text}\n\n{format_table(rows, lines)}"


def format_table(rows: Sequence[Row], lines: Sequence[Line]) -> str:
    """Lay the finished runs out as a Markdown table, a row per setting in their order."""
    table = [
        "| row | predictor | seeds | label fidelity | worst value | predictor reads | hidden | "
        "diversity within a value | lowest | score | minutes |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        own = [line for line in lines if line.row == row.key]
        sound = [line for line in own if line.labels]
        if not own:
            continue
        num_failed = len(own) - len(sound)
        cells = [
            row.key,
            row.title,
            f"{len(own)}" + (f", {num_failed} diverged" * bool(num_failed)),
        ]
        cells += [_summarize(sound, get, digits) for get, digits in COLUMNS]
        cells.append(f"{mean(line.minutes for line in own):.0f}")
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table)


def _label(line: Line) -> dict[str, Any]:
    assert line.labels is not None
    return line.labels[0]


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _get_predictor(line: Line) -> float | None:
    # Without a weight it teaches nobody: what it reads says nothing.
    if not line.setting.get("predictor_weight"):
        return None
    found = _label(line)["predictor"]
    return None if found is None else 100 * found["value"]


def _get_hidden(line: Line) -> float | None:
    read = _get_predictor(line)
    return None if read is None else read - 100 * _label(line)["fidelity"]["value"]


def _get_diversity(key: str) -> Callable[[Line], float | None]:
    def get(line: Line) -> float | None:
        found = _label(line)["diversity"]
        return None if found is None else float(found[key])

    return get


COLUMNS: tuple[tuple[Callable[[Line], float | None], int], ...] = (
    (lambda line: _percent(_label(line)["fidelity"]["value"]), 1),
    (lambda line: _percent(min(_label(line)["shares"])), 1),
    (_get_predictor, 1),
    (_get_hidden, 1),
    (_get_diversity("mean"), 2),
    (_get_diversity("lowest"), 2),
    (lambda line: None if line.score is None else float(line.score["score"]), 1),
)


def _summarize(lines: Sequence[Line], get: Callable[[Line], float | None], digits: int) -> str:
    """Write the mean over the seeds, and their range where there are several."""
    values = [value for value in map(get, lines) if value is not None]
    if not values:
        return ""
    text = f"{mean(values):.{digits}f}"
    if len(values) == 1:
        return text
    return f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"
