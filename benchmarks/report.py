"""Render measurements as Markdown and keep RESULTS.md: one section a machine, one row a quantity.

A row is known by its machine, benchmark and quantity. A run replaces the rows of the benchmarks it
ran, on its own machine, and leaves every other row as it was, with the versions it was taken with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.measurement import Goal, Measurement, format_number

COLUMNS = (
    "benchmark",
    "quantity",
    "median",
    "95th percentile",
    "lowest to highest",
    "runs",
    "goal",
    "taken with",
)
INTRODUCTION = """\
# Benchmark results

Written by `make bench`; `make bench ARGS="--only NAME"` replaces only the rows of that benchmark.
Rates and times are measured several times after a warm-up, scores and peaks of memory once; goals
are compared with the median.
What is measured, and how, is in the first lines of the file of each benchmark.
"""


@dataclass
class Section:
    """Hold the rows taken on one machine: benchmark name to its table lines."""

    facts: str = ""
    rows: dict[str, list[str]] = field(default_factory=dict)


def format_goal(goal: Goal | None, median: float, unit: str) -> str:
    """Format a goal and whether the median keeps it."""
    if goal is None:
        return ""
    sign = "≤" if goal.is_upper else "≥"
    verdict = "met" if goal.is_met(median) else "**missed**"
    return f"{sign} {goal.bound:g} {unit}: {verdict}"


def format_row(benchmark: str, measurement: Measurement, taken: str) -> str:
    """Format one measurement as a line of the table."""
    low, high = min(measurement.values), max(measurement.values)
    unit = measurement.unit
    cells = (
        benchmark,
        measurement.what,
        f"{format_number(measurement.median)} {unit}",
        "" if measurement.p95 is None else f"{format_number(measurement.p95)} {unit}",
        f"{format_number(low)} to {format_number(high)}",
        str(len(measurement.values)),
        format_goal(measurement.goal, measurement.median, unit),
        taken,
    )
    return format_line([cell.replace("|", "/") for cell in cells])


def format_line(cells: Sequence[str]) -> str:
    """Join cells to a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def parse_results(text: str) -> dict[str, Section]:
    """Read a results file back: machine to its section, in the order of the file."""
    sections: dict[str, Section] = {}
    for line in text.splitlines():
        if line.startswith("## "):
            current = sections.setdefault(line.removeprefix("## ").strip(), Section())
        elif sections and line.startswith("| "):
            benchmark = line.split("|")[1].strip()
            if benchmark not in (COLUMNS[0], "---"):
                current.rows.setdefault(benchmark, []).append(line)
        elif sections and line and not line.startswith("|"):
            current.facts = line
    return sections


def render_results(sections: Mapping[str, Section], order: Sequence[str]) -> str:
    """Write the whole results file, benchmarks in the given order, unknown ones last."""
    parts = [INTRODUCTION]
    for machine, section in sections.items():
        names = [name for name in order if name in section.rows]
        names += [name for name in section.rows if name not in order]
        lines = [line for name in names for line in section.rows[name]]
        head = [format_line(COLUMNS), f"|{' --- |' * len(COLUMNS)}"]
        parts.append("\n".join([f"## {machine}\n", f"{section.facts}\n", *head, *lines, ""]))
    return "\n".join(parts)


def update_results(
    text: str, machine: str, facts: str, rows: Mapping[str, list[str]], order: Sequence[str]
) -> str:
    """Return the results file with the rows of some benchmarks on one machine replaced."""
    sections = parse_results(text)
    section = sections.setdefault(machine, Section())
    section.facts = facts
    section.rows.update(rows)
    return render_results(sections, order)
