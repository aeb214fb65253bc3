"""Expected failures become toasts, bugs stay bugs, and no text becomes HTML."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import pytest

from explorer.ui.errors import (
    BusyError,
    answer_project_errors,
    check_whole,
    show_project_errors,
    write_project_errors,
)
from training.errors import CheckpointError, ConfigError


def test_a_project_error_becomes_a_toast_with_escaped_text() -> None:
    @show_project_errors
    def fail() -> None:
        raise CheckpointError('<img src=x onerror="alert(1)"> & it\'s bad')

    with pytest.raises(gr.Error) as raised:
        fail()
    assert raised.value.message == '&lt;img src=x onerror="alert(1)"&gt; &amp; it\'s bad'


def test_a_generator_gives_its_values_and_then_the_toast() -> None:
    @show_project_errors
    def fail_late() -> Iterator[int]:
        yield 1
        raise ConfigError("too late")

    values = fail_late()
    assert next(values) == 1
    with pytest.raises(gr.Error, match="too late"):
        next(values)


def test_closing_a_wrapped_generator_closes_the_one_inside() -> None:
    closed = []

    @show_project_errors
    def work() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append(True)

    values = work()
    next(values)
    values.close()
    assert closed == [True]


def test_a_bug_is_not_hidden() -> None:
    @show_project_errors
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_a_function_called_by_the_page_answers_with_the_sentence() -> None:
    @answer_project_errors
    def fail(name: str) -> dict[str, str]:
        raise ConfigError(f"no {name}")

    assert fail("<b>") == {"error": "no <b>"}


def test_the_page_is_told_when_to_ask_again() -> None:
    @answer_project_errors
    def wait() -> dict[str, str]:
        raise BusyError("in a moment")

    assert wait() == {"error": "in a moment", "is_busy": True}


def test_a_first_drawing_that_fails_says_why_in_its_place() -> None:
    @write_project_errors
    def draw(name: str) -> dict[str, str]:
        raise CheckpointError(f"no {name}")

    assert draw("<b>") == {"message": "no <b>"}


@pytest.mark.parametrize(("value", "expected"), [(3, 3), (3.0, 3), (0, 0)])
def test_whole_numbers_pass(value: float, expected: int) -> None:
    assert check_whole(value, "Seed") == expected


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "Seed is empty: type a whole number."),
        ("", "Seed is empty"),
        (0.5, "Seed is 0.5"),
        ("abc", "Seed is 'abc'"),
        (True, "Seed is True"),
        (float("nan"), "Seed is nan"),
        (float("inf"), "Seed is inf"),
        ([1], "Seed is [1]"),
    ],
)
def test_anything_else_is_refused_with_its_name(value: object, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_whole(value, "Seed")
    assert sentence in str(raised.value)
