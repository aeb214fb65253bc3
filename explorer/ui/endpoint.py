"""Functions for programs: whatever is sent to them, they get values of the types they ask for."""

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints

from explorer.ui.errors import show_project_errors
from training.errors import ConfigError

MAX_SHOWN = 80  # characters of a value that an error repeats


def build_endpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function or generator: values of other types, and ProjectErrors, are one sentence.

    Its parameters are annotated with str, int, float, bool or list[str].
    """
    signature, types = inspect.signature(function), get_type_hints(function)

    def bind(args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            bound.arguments[name] = convert_value(name, value, types[name])
        return bound

    if inspect.isgeneratorfunction(function):

        @wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Any:
            bound = bind(args, kwargs)
            yield from function(*bound.args, **bound.kwargs)

        return show_project_errors(generate)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = bind(args, kwargs)
        return function(*bound.args, **bound.kwargs)

    return show_project_errors(call)


def convert_value(name: str, value: Any, wanted: Any) -> Any:
    """Return a JSON value as the type that is wanted; raises ConfigError if it is of another."""
    matches, description = KINDS[wanted]
    if not matches(value):
        text = repr(value)
        shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
        raise ConfigError(f"{name} is {shown}: give {description}.")
    return wanted(value) if wanted in (int, float) else value


def _is_number(value: Any) -> bool:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, float) or (is_whole and abs(value) <= sys.float_info.max)


KINDS: dict[Any, tuple[Callable[[Any], bool], str]] = {
    str: (lambda value: isinstance(value, str), "a text"),
    int: (lambda value: _is_number(value) and float(value).is_integer(), "a whole number"),
    float: (_is_number, "a number"),
    bool: (lambda value: isinstance(value, bool), "true or false"),
    list[str]: (
        lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
        'a list of texts, such as ["a", "b"]',
    ),
}
