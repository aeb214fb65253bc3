"""The line in which long jobs wait for their turn."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from explorer.turns import Turns, describe_wait
from training.errors import ConfigError


def test_jobs_work_in_the_order_in_which_they_came() -> None:
    turns = Turns(2)
    with ExitStack() as stack:
        leave = []
        places = []
        for _ in range(5):
            inner = stack.enter_context(ExitStack())
            places.append(inner.enter_context(turns.join()))
            leave.append(inner.close)

        def count_ahead() -> list[int]:
            return [next(place.wait(), 0) for place in places]

        assert count_ahead() == [0, 0, 1, 2, 3]
        leave.pop(3)()  # out of the line before its turn
        places.pop(3)
        assert count_ahead() == [0, 0, 1, 2]
        leave.pop(0)()
        places.pop(0)
        assert count_ahead() == [0, 0, 1]


def test_a_job_is_woken_when_its_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.turns.WAKE_SECONDS", 600)  # by nothing else in this test
    turns = Turns(1)
    order: list[object] = []
    waits = threading.Event()

    def work() -> None:
        with turns.join() as place:
            for ahead in place.wait():
                order.append(ahead)
                waits.set()
            order.append("second")

    with turns.join() as place:
        assert list(place.wait()) == []
        other = threading.Thread(target=work)
        other.start()
        assert waits.wait(30)
        order.append("first")
    other.join(30)
    assert order == [1, "first", "second"]


def test_a_job_that_fails_lets_the_next_one_work() -> None:
    turns = Turns(1)
    with pytest.raises(ValueError, match="broken"), turns.join():
        raise ValueError("broken")
    with turns.join() as place:
        assert list(place.wait()) == []


def test_too_many_are_refused_and_leave_the_line_as_it_was() -> None:
    turns = Turns(1, max_waiting=1)
    with turns.join(), turns.join() as second:
        with pytest.raises(ConfigError, match="1 others wait"), turns.join():
            pass
        assert next(second.wait()) == 1
    with turns.join(), turns.join():
        pass


def test_a_wait_is_put_in_words() -> None:
    assert [describe_wait(ahead) for ahead in (0, 1, 3)] == [
        "Starting.", "Waiting until another one ends.", "Waiting until 3 others end.",
    ]  # fmt: skip
