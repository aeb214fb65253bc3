"""Hold what a benchmark measured and summarise it: median, 95th percentile, range, goal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Below this many runs a 95th percentile is hardly more than the slowest run, and is left out.
MIN_RUNS_FOR_P95 = 20


class UnavailableError(Exception):
    """Say why a benchmark cannot run here, and what it would need."""


@dataclass(frozen=True)
class Context:
    """Hold what every benchmark is told: device, whether to be quick, root of the repository."""

    device: str = "auto"
    is_quick: bool = False
    root: Path = Path(__file__).resolve().parent.parent

    def choose_runs(self, full: int, quick: int) -> int:
        """Return how often to repeat."""
        return quick if self.is_quick else full


@dataclass(frozen=True)
class Goal:
    """Hold a bound on the median: at most (the default) or at least `bound`."""

    bound: float
    is_upper: bool = True

    def is_met(self, median: float) -> bool:
        """Tell whether a median keeps the bound."""
        return median <= self.bound if self.is_upper else median >= self.bound


@dataclass(frozen=True)
class Measurement:
    """Hold the values of one measured quantity, one per run, in `unit`."""

    what: str
    unit: str
    values: tuple[float, ...]
    goal: Goal | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.what!r} was measured no times: at least one value is needed")

    @property
    def median(self) -> float:
        """The value half of the runs stay below."""
        return float(np.median(self.values))

    @property
    def p95(self) -> float | None:
        """The value 95 of 100 runs stay below; None with too few runs to say."""
        if len(self.values) < MIN_RUNS_FOR_P95:
            return None
        return float(np.percentile(self.values, 95))


def format_number(value: float) -> str:
    """Format with three significant digits, or all digits before the point if there are more."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    num_decimals = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{num_decimals}f}"


def time_runs(
    run: Callable[[int], object], num_runs: int, num_warm_ups: int = 1
) -> tuple[float, ...]:
    """Return the seconds of each of `num_runs` calls, after some that are not counted.

    `run` gets the number of the call, counted from 0 through warm-ups and runs alike, so that no
    two calls need do the same work.
    """
    seconds = []
    for call in range(num_warm_ups + num_runs):
        start = time.perf_counter()
        run(call)
        if call >= num_warm_ups:
            seconds.append(time.perf_counter() - start)
    return tuple(seconds)


def to_milliseconds(seconds: Sequence[float]) -> tuple[float, ...]:
    """Convert seconds to milliseconds."""
    return tuple(1000 * value for value in seconds)
