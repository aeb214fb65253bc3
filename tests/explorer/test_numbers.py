"""Numbers from files: what counts as one, and how it is told."""

from __future__ import annotations

import math
from typing import Any

import pytest

from explorer.numbers import format_count, format_score, format_seconds
from training.numbers import read_number


@pytest.mark.parametrize(("value", "number"), [(3, 3.0), (-0.5, -0.5), (0, 0.0)])
def test_numbers_are_numbers(value: Any, number: float) -> None:
    assert read_number(value) == number


@pytest.mark.parametrize(
    "value", [None, True, "3", [3], math.nan, math.inf, -math.inf, 10**400, {"a": 1}]
)
def test_nothing_else_is_one(value: Any) -> None:
    assert read_number(value) is None
    assert format_count(value) is None
    assert format_seconds(value) is None


def test_counts_have_thousands_and_units() -> None:
    assert format_count(1234567) == "1,234,567"
    assert format_count(12.0, "images") == "12 images"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "1 h 30 min"), (5300, "88 min"),
     (360_000_000, "100,000 h 0 min")],
)  # fmt: skip
def test_durations_are_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("score", "text"), [(286.52, "286.5"), (-100, "-100.0"), (45.526, "45.53"), (0.12345, "0.123")]
)
def test_scores_have_the_decimals_of_charts(score: float, text: str) -> None:
    assert format_score(score) == text
