"""The benchmark of kills: its moments are spread over the training, its hash sees every bit."""

import pytest
import torch

from benchmarks.kill_resume import BEGIN, END, choose_moments, hash_state, update_page


def test_every_other_of_the_moments_is_in_a_save_and_each_is_later_than_the_last():
    moments = choose_moments(20, seed=1)
    assert [moment.is_save for moment in moments] == [False, True] * 10
    assert all(moment.step % 20 == 0 for moment in moments if moment.is_save)
    # 600 steps in 20 parts of 30.
    assert [(moment.step - 1) // 30 for moment in moments] == list(range(20))
    assert choose_moments(20, seed=1) == moments
    assert choose_moments(20, seed=2) != moments


def test_more_kills_than_there_are_saves_are_refused():
    with pytest.raises(SystemExit, match="at most 28 find their save"):
        choose_moments(30, seed=0)


def test_the_hash_of_a_state_sees_one_bit_but_no_clock():
    weight = torch.zeros(3, 4)
    state = {"engine": {"weight": weight, "rates": [0.5]}, "step": 3, "seconds": 1.0}
    before = hash_state(state)
    assert hash_state({**state, "seconds": 2.0}) == before
    assert hash_state({**state, "step": 4}) != before
    weight.view(torch.int32)[1, 2] = 1  # the smallest number there is
    assert hash_state(state) != before


def test_only_what_is_between_the_marks_of_a_page_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"a\n{BEGIN}\nold\n{END}\nb\n")
    update_page(page, "new")
    assert page.read_text() == f"a\n{BEGIN}\nnew\n{END}\nb\n"
    page.write_text("a\n")
    with pytest.raises(SystemExit, match="has no place for the table"):
        update_page(page, "new")
