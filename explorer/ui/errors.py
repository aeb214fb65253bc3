"""Expected failures become one sentence on the page; bugs keep their traceback on the server."""

import html
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from training.errors import ConfigError, ProjectError

ERROR_TITLE = "That did not work"


class BusyError(ConfigError):
    """Say that the server is busy: what was asked for may be had in a moment."""


def show_project_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the ProjectErrors of an event's function or generator into a toast."""
    if inspect.isgeneratorfunction(function):

        @wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Any:
            try:
                yield from function(*args, **kwargs)
            except ProjectError as error:
                raise build_toast(error) from error

        return generate

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ProjectError as error:
            raise build_toast(error) from error

    return call


def warn_project_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the ProjectErrors of a drawing function into a toast, and leave what is drawn.

    An event that fails would drop the one that waits behind it, the latest the hand has asked for.
    """

    @wraps(function)
    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except ProjectError as error:
            gr.Warning(html.escape(str(error), quote=False), duration=12, title=ERROR_TITLE)
            return gr.skip()

    return call


def write_project_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the ProjectErrors of a drawing function into {"message": sentence}, in its place.

    For a first drawing: a toast would go, and leave nothing.
    """

    @wraps(function)
    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except ProjectError as error:
            return {"message": str(error)}

    return call


def answer_project_errors(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Turn the ProjectErrors of a function that the page calls itself into {"error": sentence}.

    Of a BusyError "is_busy", too, which tells the page to ask again.
    """

    @wraps(function)
    def call(*args: Any) -> dict[str, Any]:
        try:
            return function(*args)
        except ProjectError as error:
            answer: dict[str, Any] = {"error": str(error)}
            return {**answer, "is_busy": True} if isinstance(error, BusyError) else answer

    return call


def build_toast(error: ProjectError) -> gr.Error:
    """Build a toast from an error; its text is escaped, since toasts render HTML."""
    text = html.escape(str(error), quote=False)
    return gr.Error(text, duration=12, title=ERROR_TITLE, print_exception=False)


def check_whole(value: Any, name: str) -> int:
    """Return a number field's value as an int; raises ConfigError if empty or fractional."""
    if value is None or value == "":
        raise ConfigError(f"{name} is empty: type a whole number.")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not float(value).is_integer():
        raise ConfigError(f"{name} is {value!r}: type a whole number.")
    return int(value)
