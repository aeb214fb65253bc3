"""metrics.jsonl: one JSON object per line, appended while a training runs."""

import json
import math
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.files import explain_write_errors, write_text

Row = dict[str, Any]

# What depends on the clock and the machine; all else is the same in a repeated training.
MEASURED_FIELDS = ("seconds", "images_per_second", "memory_mb", "gpu_memory_mb")


class HistoryWriter:
    """Append rows to a metrics file; every row reaches the file before the next step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with explain_write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; numbers that are not finite become null (JSON has no NaN).

        A full disk raises ProjectError and leaves no part of the row.
        """
        line = json.dumps(to_plain(row)).encode() + b"\n"
        end = self._file.seek(0, os.SEEK_END)
        with explain_write_errors(self._path):
            try:
                while line:
                    line = line[self._file.write(line) :]
            except OSError:
                self._file.truncate(end)
                raise

    def sync(self) -> None:
        """Wait until all rows are on the disk."""
        with explain_write_errors(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_history(path: Path) -> list[Row]:
    """Read the rows of a metrics file; lines that are damaged or cut off are left out."""
    return _parse(path)[0]


def truncate_history(path: Path, step: int, has_open_losses: bool = False) -> None:
    """Drop the rows of steps after ``step``: they belong to work that was not saved.

    With ``has_open_losses`` the losses of ``step`` itself go too: their mean is taken anew over
    more steps. Damaged lines are dropped with a warning that names them, and a copy of the file is
    kept as ``metrics.jsonl.damaged``.
    """
    rows, damaged = _parse(path)
    with explain_write_errors(path):
        if damaged:
            copy = _find_free_name(path.with_name(f"{path.name}.damaged"))
            shutil.copyfile(path, copy)
            lines = "line" if len(damaged) == 1 else "lines"
            print(
                f"warning: {path}: {lines} {', '.join(map(str, damaged))} cannot be read and will "
                f"be dropped; {copy.name} is a copy of the file as it was.",
                file=sys.stderr,
            )
        kept = (
            row
            for row in rows
            if row["step"] < step
            or (row["step"] == step and not (has_open_losses and is_loss_row(row)))
        )
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))


def select_scores(rows: list[Row]) -> list[Row]:
    """Return the rows that carry a score."""
    return [row for row in rows if isinstance(row.get("score"), int | float)]


def is_loss_row(row: Row) -> bool:
    """Tell whether a row holds the mean losses of the steps up to its own."""
    return "images_per_second" in row


def to_plain(value: Any) -> Any:
    """Return plain JSON values in which numbers that are not finite, however deep, are None."""
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _parse(path: Path) -> tuple[list[Row], list[int]]:
    """Read rows, and the numbers (from 1) of the lines that hold none.

    A last line without its end is no damage: the program was killed while it wrote.
    """
    if not path.is_file():
        return [], []
    *lines, rest = path.read_bytes().split(b"\n")
    rows, damaged = [], []
    for number, line in enumerate(lines, 1):
        row = _parse_row(line)
        if row is None:
            damaged.append(number)
        else:
            rows.append(row)
    last = _parse_row(rest)
    return rows + [last] * (last is not None), damaged  # type: ignore[list-item]


def _parse_row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    has_step = isinstance(row, dict) and type(row.get("step")) is int
    return row if has_step else None


def _find_free_name(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
