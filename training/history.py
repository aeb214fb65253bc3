"""metrics.jsonl: one JSON object per line, appended while a training runs."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class HistoryWriter:
    """Append rows to a metrics file; every row reaches the file before the next step."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; numbers that are not finite become null (JSON has no NaN)."""
        clean = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        self._file.write(json.dumps(clean) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read all rows of a metrics file; a last line cut off by a crash is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            if number < len(lines):
                raise
    return rows


def select_scores(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that carry a score."""
    return [row for row in rows if row.get("score") is not None]
