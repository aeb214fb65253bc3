"""Long series cut down to what can be drawn: extremes stay, means are smoothed."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.curves import pick_extremes, smooth_series


def test_a_short_series_stays_whole() -> None:
    assert pick_extremes(np.array([3.0, 1.0, 2.0]), 4).tolist() == [0, 1, 2]
    assert pick_extremes(np.array([]), 4).tolist() == []


def test_every_piece_keeps_its_smallest_and_its_largest() -> None:
    values = np.array([5.0, 9.0, 1.0, 4.0, 3.0, 7.0, 2.0, 6.0])
    # Six points: both ends, and of two pieces of four values those at 2 and 1, and at 6 and 5.
    assert pick_extremes(values, 6).tolist() == [0, 1, 2, 5, 6, 7]


@pytest.mark.parametrize("count", [1001, 4999, 100_000])
def test_no_peak_and_no_dip_is_lost_however_long_the_series(count: int) -> None:
    values = np.random.default_rng(0).normal(size=count)
    values[count // 3], values[count // 3 + 1] = 50.0, -60.0
    kept = pick_extremes(values, 1000)
    assert 400 < len(kept) <= 1000
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert values[kept].max() == 50.0
    assert values[kept].min() == -60.0


def test_smoothing_is_the_moving_average_divided_by_its_weights() -> None:
    x, values = smooth_series(np.array([10.0, 20.0, 30.0]), np.array([0.0, 1.0, 1.0]), 10, 0.5)
    assert x.tolist() == [10, 20, 30]
    # Weights 1; 1/3, 2/3; 1/7, 2/7, 4/7.
    assert values.tolist() == pytest.approx([0.0, 2 / 3, 6 / 7])


def test_a_long_series_is_smoothed_over_the_means_of_its_pieces() -> None:
    x, values = smooth_series(np.arange(5.0), np.array([0.0, 3.0, 6.0, 9.0, 11.0]), 2, 0.0)
    # Pieces of three and of two values; with a decay of 0 the means themselves.
    assert x.tolist() == [2, 4]
    assert values.tolist() == [3, 10]


def test_a_constant_is_smoothed_to_itself_and_nothing_to_nothing() -> None:
    x, values = smooth_series(np.arange(1000.0), np.full(1000, 7.0))
    assert values == pytest.approx(np.full(250, 7.0))
    assert x[-1] == 999
    assert [part.tolist() for part in smooth_series(np.empty(0), np.empty(0))] == [[], []]
