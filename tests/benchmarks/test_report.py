"""The results file: rows as Markdown, and partial runs that touch only their own rows."""

from __future__ import annotations

import re

from benchmarks.measurement import Goal, Measurement
from benchmarks.report import COLUMNS, format_goal, format_row, parse_results, update_results

ORDER = ("startup", "memory", "training")


def build_row(benchmark: str, seconds: float) -> str:
    return format_row(benchmark, Measurement("a | b", "s", (seconds,), Goal(1.5)), "v1")


def test_a_row_shows_every_column() -> None:
    measurement = Measurement("one sample", "ms", tuple(float(n) for n in range(1, 22)), Goal(5))
    row = format_row("sampling", measurement, "2026-01-02, commit abc")
    assert row == (
        "| sampling | one sample | 11.0 ms | 20.0 ms | 1.00 to 21.0 | 21 "
        "| ≤ 5 ms: **missed** | 2026-01-02, commit abc |"
    )
    assert len(re.findall(r"\|", row)) == len(COLUMNS) + 1


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    assert build_row("x", 1.0).count("|") == len(COLUMNS) + 1
    assert "a / b" in build_row("x", 1.0)


def test_goals_are_shown_with_their_verdict() -> None:
    assert format_goal(None, 1.0, "s") == ""
    assert format_goal(Goal(8.0), 7.9, "s") == "≤ 8 s: met"
    assert format_goal(Goal(1.5), 1.6, "s") == "≤ 1.5 s: **missed**"
    assert format_goal(Goal(30, is_upper=False), 31, "images/s") == "≥ 30 images/s: met"


def test_a_first_run_makes_the_whole_file() -> None:
    rows = {"memory": [build_row("memory", 2.0)], "startup": [build_row("startup", 1.0)]}
    text = update_results("", "Some CPU, 2 cores", "8 GB", rows, ORDER)
    lines = text.splitlines()
    assert lines[0] == "# Benchmark results"
    start = lines.index("## Some CPU, 2 cores")
    assert lines[start + 2] == "8 GB"
    assert lines[start + 4].split(" | ")[1] == COLUMNS[1]
    assert set(lines[start + 5]) == set("|- ")
    assert lines[start + 6 : start + 8] == [*rows["startup"], *rows["memory"]]
    assert text.endswith("|\n")


def test_a_partial_run_replaces_only_its_own_rows() -> None:
    old = {
        "startup": [build_row("startup", 1.0), build_row("startup", 2.0)],
        "training": [build_row("training", 3.0)],
    }
    first = update_results("", "CPU", "8 GB", old, ORDER)
    second = update_results(first, "GPU", "80 GB", {"training": [build_row("training", 4)]}, ORDER)
    new = {"startup": [build_row("startup", 9.0)]}
    sections = parse_results(update_results(second, "CPU", "16 GB", new, ORDER))
    assert list(sections) == ["CPU", "GPU"]
    assert sections["CPU"].rows == {"startup": new["startup"], "training": old["training"]}
    assert sections["CPU"].facts == "16 GB"
    assert sections["GPU"].rows == {"training": [build_row("training", 4)]}
    assert sections["GPU"].facts == "80 GB"


def test_writing_what_was_read_changes_nothing() -> None:
    rows = {"startup": [build_row("startup", 1.0)], "gone": [build_row("gone", 2.0)]}
    text = update_results("", "CPU", "8 GB", rows, ORDER)
    assert update_results(text, "CPU", "8 GB", {}, ORDER) == text
