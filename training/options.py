"""How options are declared, checked, and named on the command line."""

import math
from collections.abc import Mapping
from dataclasses import Field, field
from typing import Any

from training.errors import ConfigError


def option(
    default: Any,
    text: str,
    *,
    kind: type = float,
    low: float = -math.inf,
    high: float = math.inf,
    choices: tuple[str, ...] = (),
    flag: str = "",
    term: str = "",
    source: str = "",
) -> Any:
    """Declare an option: default (None: the model's own), help text with unit, type and range.

    A technique of training has a ``term``, by which checkpoints name it, and often a ``source``
    (author year). ``flag`` is its command-line name where that is not the field's.
    """
    facts = {
        "help": f"{text} ({source})" if source else text,
        "kind": kind,
        "low": low,
        "high": high,
        "choices": choices,
        "flag": flag,
        "term": term,
        "source": source,
    }
    return field(default=default, metadata=facts)


def get_flag(item: "Field[Any]") -> str:
    """Return an option's name on the command line."""
    return str(item.metadata.get("flag") or f"--{item.name.replace('_', '-')}")


def format_range(facts: Mapping[str, Any]) -> str:
    """Write the range of a number's option, whole numbers with all their digits."""
    form = "d" if facts["kind"] is int else "g"
    return f"{facts['low']:{form}} to {facts['high']:{form}}"


def check_option(item: "Field[Any]", value: Any) -> None:
    """Raise ConfigError if a value is outside the range or choices its option declares."""
    facts = item.metadata
    if value is None or not facts:
        return
    if facts["choices"] and value not in facts["choices"]:
        choices = ", ".join(facts["choices"])
        raise ConfigError(f"{get_flag(item)} is {value!r}: choose one of {choices}.")
    if facts["kind"] in (int, float) and not facts["low"] <= value <= facts["high"]:
        raise ConfigError(f"{get_flag(item)} is {value}: expected {format_range(facts)}.")
