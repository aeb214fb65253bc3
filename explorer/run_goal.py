"""How far a training is, and how long it has left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.metrics_log import NumberTable
from training.numbers import read_number

# How many of the newest rows the speed of a training is taken from.
SPEED_ROWS = 50
# Options of a training that are its goal: the column that reaches it, and the unit.
GOAL_COLUMNS = {
    "steps": ("step", 1.0),
    "kimg": ("images_seen", 1000.0),
    "minutes": ("seconds", 60.0),
}


@dataclass(frozen=True)
class Goal:
    """Say when a training ends: when a column of its metrics reaches a number."""

    column: str
    value: float

    def get_share(self, losses: NumberTable) -> float:
        """Return which part of the way is behind, 0 to 1."""
        return min(1.0, max(0.0, (losses.get_last(self.column) or 0.0) / self.value))

    def estimate_seconds_left(self, losses: NumberTable) -> float | None:
        """Estimate the time left from the newest rows, None before there are two of them."""
        done, seconds = (losses.get_column(name)[-SPEED_ROWS:] for name in (self.column, "seconds"))
        if len(done) < 2 or not done[-1] > done[0]:  # NaN where a row lacks the column
            return None
        left = (self.value - done[-1]) * (seconds[-1] - seconds[0]) / (done[-1] - done[0])
        return read_number(max(0.0, float(left)))


def find_goal(config: Mapping[str, Any]) -> Goal | None:
    """Find the goal among the options of a training, None if there is none."""
    for option, (column, unit) in GOAL_COLUMNS.items():
        value = read_number(config.get(option))
        if value is not None and value > 0:
            return Goal(column, value * unit)
    return None
