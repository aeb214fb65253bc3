"""metrics.jsonl while a training writes it: every look reads only what is new."""

import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from training.numbers import read_number
from training.rewind import MAX_REWINDS

CHUNK_BYTES = 1 << 20
# Bytes before the place of the last look. If they are others now, the file was written anew.
TAIL_BYTES = 256
MAX_LINE_BYTES = 1 << 16
MAX_COLUMNS = 40
MAX_REASON_LETTERS = 200
# Of the columns that say how well each label is read off generated images.
FIDELITY_PREFIX = "fidelity of "


@dataclass(frozen=True)
class Rewind:
    """Hold that a training went back to a saved ``step``: for which time, and why."""

    step: int
    number: int
    reason: str


class NumberTable:
    """Hold rows of numbers by column, by growing step; a row may lack any column but ``step``."""

    def __init__(self) -> None:
        self._columns: dict[str, array[float]] = {"step": array("d")}

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._columns["step"])

    @property
    def names(self) -> list[str]:
        """Return the columns' names in the order in which they first came."""
        return list(self._columns)

    def append(self, row: Mapping[str, float]) -> None:
        """Append a row; what was known of later steps is dropped, since a resume goes over them."""
        self._drop_after(row["step"])
        for name in row:
            if name not in self._columns and len(self._columns) < MAX_COLUMNS:
                self._columns[name] = array("d", [np.nan]) * len(self)
        for name, column in self._columns.items():
            column.append(row.get(name, np.nan))

    def get_curve(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the steps and values, both (N,), of the rows that have this column."""
        steps = np.array(self._columns["step"])
        if name not in self._columns:
            return steps[:0], steps[:0]
        values = np.array(self._columns[name])
        is_known = np.isfinite(values)
        return steps[is_known], values[is_known]

    def get_column(self, name: str) -> np.ndarray:
        """Return a column (N,), NaN where a row lacks it."""
        return (
            np.array(self._columns[name]) if name in self._columns else np.full(len(self), np.nan)
        )

    def get_last(self, name: str) -> float | None:
        """Return the last number of a column, None if there is none."""
        return read_number(self._columns[name][-1]) if name in self._columns and len(self) else None

    def copy(self) -> "NumberTable":
        """Return a copy that does not grow."""
        table = NumberTable()
        table._columns = {name: column[:] for name, column in self._columns.items()}
        return table

    def _drop_after(self, step: float) -> None:
        steps = self._columns["step"]
        while steps and steps[-1] > step:
            for column in self._columns.values():
                column.pop()


class MetricsLog:
    """Hold what a metrics file says so far: losses, scores, rewinds, and how much was unreadable.

    A line without its end is left for the next look. Lines that are not a JSON object with a step
    are counted in ``num_damaged``. A file that was cut, replaced or rewritten is read from its
    beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.forget()

    def refresh(self) -> None:
        """Read what was appended since the last look; a file that has gone holds nothing."""
        try:
            with self.path.open("rb") as file:
                self._read(file)
        except FileNotFoundError:
            self.forget()

    def forget(self) -> None:
        """Hold nothing, and begin at the file's beginning the next time."""
        self.losses, self.scores = NumberTable(), NumberTable()
        self.score_name: str | None = None
        self.rewinds: tuple[Rewind, ...] = ()
        self.num_damaged = 0
        self.size = 0
        self._tail, self._half, self._is_too_long = b"", b"", False

    def _read(self, file: BinaryIO) -> None:
        file.seek(self.size - len(self._tail))
        if file.read(len(self._tail)) != self._tail:
            self.forget()
            file.seek(0)
        while data := file.read(CHUNK_BYTES):
            self.size += len(data)
            self._tail = (self._tail + data)[-TAIL_BYTES:]
            self._take(data)

    def _take(self, data: bytes) -> None:
        *lines, self._half = (self._half + data).split(b"\n")
        for line in lines:
            if self._is_too_long or not self._add(line):
                self.num_damaged += 1
            self._is_too_long = False
        if len(self._half) > MAX_LINE_BYTES:
            self._half, self._is_too_long = b"", True

    def _add(self, line: bytes) -> bool:
        """Add a line to the table it belongs to, and tell whether it could be read."""
        if not line.strip():
            return True
        row = _parse_row(line)
        numbers = _select_numbers(row)
        if numbers.get("step", -1) < 0:
            return False
        if "event" in row:  # what happened at a step is no point of a curve
            if row["event"] == "rewind":
                self._add_rewind(row, numbers)
            return True
        if "score" not in row:
            self.losses.append(numbers)
            return True
        interval = row.get("interval")
        if isinstance(interval, list) and len(interval) == 2:
            numbers |= _select_numbers({"low": interval[0], "high": interval[1]})
        self.scores.append(numbers | _select_fidelities(row.get("labels")))
        self.score_name = str(row.get("score_name") or "Score")
        return True

    def _add_rewind(self, row: Mapping[str, Any], numbers: Mapping[str, float]) -> None:
        number = int(numbers.get("num_rewinds", len(self.rewinds) + 1))
        reason = str(row.get("reason") or "A number was not finite")[:MAX_REASON_LETTERS]
        found = Rewind(int(numbers["step"]), number, reason)
        self.rewinds = (*self.rewinds, found)[-MAX_REWINDS:]


def _parse_row(line: bytes) -> dict[str, Any]:
    """Parse a line; what is no JSON object is an empty one."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _select_fidelities(labels: Any) -> dict[str, float]:
    """Return label fidelities by columns of their own; a model without labels has none."""
    found = {}
    for item in labels if isinstance(labels, list) else ():
        fidelity = item.get("fidelity") if isinstance(item, dict) else None
        value = read_number(fidelity.get("value")) if isinstance(fidelity, dict) else None
        if value is not None:
            found[f"{FIDELITY_PREFIX}{item.get('label')}"] = value
    return found


def _select_numbers(row: Mapping[str, Any]) -> dict[str, float]:
    numbers = ((name, read_number(value)) for name, value in row.items())
    return {name: number for name, number in numbers if number is not None}
