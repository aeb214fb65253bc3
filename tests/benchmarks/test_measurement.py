"""Summaries of runs against values computed by hand."""

from __future__ import annotations

import pytest

from benchmarks.measurement import Context, Goal, Measurement, format_number, time_runs


def test_median_and_p95_by_hand() -> None:
    # 1 to 21: the middle is 11; 95 % of the way from first to last is at 1 + 0.95 * 20 = 20.
    measurement = Measurement("x", "ms", tuple(float(value) for value in range(21, 0, -1)))
    assert measurement.median == 11.0
    assert measurement.p95 == pytest.approx(20.0, abs=1e-12)


def test_median_of_an_even_count_lies_between() -> None:
    assert Measurement("x", "s", (4.0, 1.0, 3.0, 2.0)).median == 2.5


def test_p95_needs_twenty_runs() -> None:
    assert Measurement("x", "s", (1.0,) * 19).p95 is None
    assert Measurement("x", "s", (1.0,) * 20).p95 == 1.0


def test_a_measurement_needs_a_value() -> None:
    with pytest.raises(ValueError, match="measured no times"):
        Measurement("x", "s", ())


def test_goals_bound_from_either_side_and_include_the_bound() -> None:
    assert Goal(8.0).is_met(8.0)
    assert not Goal(8.0).is_met(8.001)
    assert Goal(30.0, is_upper=False).is_met(30.0)
    assert not Goal(30.0, is_upper=False).is_met(29.999)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.012345, "0.0123"),
        (1.0, "1.00"),
        (12.345, "12.3"),
        (123.45, "123"),
        (12345.6, "12346"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_keep_three_significant_digits(value: float, text: str) -> None:
    assert format_number(value) == text


def test_warm_ups_run_but_are_not_counted() -> None:
    calls: list[int] = []
    seconds = time_runs(calls.append, num_runs=3, num_warm_ups=2)
    assert calls == [0, 1, 2, 3, 4]
    assert len(seconds) == 3
    assert all(value >= 0 for value in seconds)


def test_quick_chooses_the_smaller_count() -> None:
    assert Context(is_quick=True).choose_runs(200, 20) == 20
    assert Context().choose_runs(200, 20) == 200
