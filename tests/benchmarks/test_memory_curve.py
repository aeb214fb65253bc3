"""The slope of memory over time, with its error, against lines and SciPy's answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.memory_curve import Curve, draw_chart, fit_slope, read_megabytes

SECONDS = np.arange(0.0, 3600.0, 2.0)


def test_a_straight_line_has_its_slope_and_no_error() -> None:
    slope = fit_slope(Curve(SECONDS, 500 + 12 * SECONDS / 3600))
    assert slope.per_hour == pytest.approx(12)
    assert slope.half_width == pytest.approx(0, abs=1e-6)
    # A tenth into a block of 3 minutes the line is 0.4 * 3 / 60 hours behind the middle of it.
    assert slope.intercept == pytest.approx(500 - 12 * 0.02, abs=0.01)
    assert str(slope) == "+12.00 ± 0.00 MB per hour (95 %)"


def test_the_interval_is_that_of_three_points_by_hand() -> None:
    # 0, 3, 0 at 0, 1, 2 hours: slope 0, mean 1, squared residuals 1 + 4 + 1 = 6. With one degree
    # of freedom the standard error is sqrt(6 / 1 / 2), and t(0.975) = 12.706.
    slope = fit_slope(Curve(np.array([0.0, 3600.0, 7200.0]), np.array([0.0, 3.0, 0.0])))
    assert slope.per_hour == pytest.approx(0, abs=1e-9)
    assert slope.half_width == pytest.approx(12.7062 * np.sqrt(3), rel=1e-4)


def test_the_interval_holds_the_truth_where_readings_move_slowly() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        # Readings that stay where they were for half a minute tell less than they are many.
        noise = np.repeat(generator.normal(0, 5, len(SECONDS) // 15), 15)
        slope = fit_slope(Curve(SECONDS, 800 + 3 * SECONDS / 3600 + noise))
        hits += abs(slope.per_hour - 3) <= slope.half_width
    # 95 % of 200 are 190; four standard deviations of that count are 12. All readings at once
    # would claim a quarter of the error, and hit about 75 times.
    assert 178 <= hits <= 200
    naive = stats.linregress(SECONDS / 3600, 800 + noise)
    assert naive.stderr < slope.half_width / 4


def test_peaks_that_come_and_go_are_no_slope() -> None:
    # Part of the time 800 MB more, and longer so towards the end; the base grows by 5 an hour.
    is_peak = (SECONDS % 60) < 10 + 20 * SECONDS / 3600
    slope = fit_slope(Curve(SECONDS, 900 + 5 * SECONDS / 3600 + 800 * is_peak))
    assert slope.per_hour == pytest.approx(5, abs=0.1)


def test_the_warm_up_is_left_out() -> None:
    curve = Curve(np.arange(11.0), np.arange(11.0)).skip(0.2)
    assert curve.seconds.tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert curve.megabytes.tolist() == curve.seconds.tolist()


def test_two_readings_make_no_slope() -> None:
    with pytest.raises(ValueError, match="2 readings"):
        fit_slope(Curve(np.arange(2.0), np.arange(2.0)))


def test_resident_memory_is_read_and_a_gone_process_holds_none() -> None:
    assert read_megabytes(2**22 + 1) == 0.0  # beyond the largest process number of Linux
    hold = "held = b'x' * 200_000_000; print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        held = read_megabytes(process.pid)
        process.communicate(b"\n")
    assert 200 < held < 260  # and an interpreter
    assert read_megabytes(process.pid) == 0.0


def test_the_chart_carries_the_slope(tmp_path: Path) -> None:
    curve = Curve(SECONDS, 500 + 12 * SECONDS / 3600)
    path = tmp_path / "curve.svg"
    draw_chart(path, curve, curve.skip(0.2), fit_slope(curve))
    assert path.read_text(encoding="utf-8").startswith("<?xml")
    assert path.stat().st_size > 5000
