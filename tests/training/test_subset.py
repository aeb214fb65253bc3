"""Choosing some of many: how many, which, and that one choice says nothing about another."""

import numpy as np
import pytest

from training.subset import choose_subset


def test_few_items_are_all_taken():
    assert choose_subset(3, 10).tolist() == [0, 1, 2]
    assert choose_subset(3, 3).tolist() == [0, 1, 2]
    assert choose_subset(0, 3).tolist() == []


def test_of_many_so_many_are_chosen_in_order_without_repeats():
    chosen = choose_subset(202_599, 10_000)
    assert len(chosen) == 10_000
    assert np.all(np.diff(chosen) > 0)
    assert 0 <= chosen[0] < chosen[-1] < 202_599


def test_the_choice_is_the_same_on_every_machine():
    """The places of the five smallest of 20 raw draws of PCG64, seeded with 5."""
    assert choose_subset(20, 5).tolist() == [4, 7, 8, 11, 19]


def test_every_item_is_as_likely_as_the_others():
    counts = sum(np.isin(np.arange(40), choose_subset(40, size)) * 1.0 for size in range(1, 40))
    # 39 choices of 1 to 39 items: each is in 19.5 of them, with a variance of sum p (1 - p).
    shares = np.arange(1, 40) / 40
    deviations = (counts - 19.5) / np.sqrt((shares * (1 - shares)).sum())
    assert np.abs(deviations).max() < 4
    assert deviations.std() == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize("period", [2, 3, 6, 10])
def test_no_place_within_a_period_is_preferred(period):
    places = np.bincount(choose_subset(60_000, 10_000) % period, minlength=period)
    expected = 10_000 / period
    assert np.abs(places - expected).max() < 4 * np.sqrt(expected * (1 - 1 / period))


@pytest.mark.parametrize(("first", "second"), [(10_000, 2048), (10_000, 5000), (2048, 1024)])
def test_a_choice_among_chosen_ones_is_fair_too(first, second):
    """Whether an item is chosen again does not depend on its place among all, or its parity."""
    chosen = choose_subset(20_000, first)
    again = chosen[choose_subset(first, second)]
    assert len(again) == second
    error = 20_000 / np.sqrt(12 * second)
    assert again.mean() == pytest.approx(10_000, abs=3 * error)
    assert np.mean(again % 2) == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(second))


def test_choices_of_different_sizes_are_independent():
    """2,048 and 2,000 of 10,000 share as many as chance gives: 409.6, give or take 16."""
    shared = np.intersect1d(choose_subset(10_000, 2048), choose_subset(10_000, 2000))
    deviation = np.sqrt(2000 * 0.2048 * 0.7952 * 0.8)
    assert len(shared) == pytest.approx(409.6, abs=3 * deviation)


def test_one_size_of_growing_many_keeps_most():
    """Of 512 of 1,000 as many are still there among 1,024 as are below 1,000: 500 on average."""
    before, after = choose_subset(1000, 512), choose_subset(1024, 512)
    kept = np.isin(after, before).sum()
    assert kept == np.sum(after < 1000)
    assert kept >= 488
