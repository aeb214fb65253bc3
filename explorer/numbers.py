"""Numbers told in words, of files that anyone may have written too."""

from typing import Any

from training.numbers import read_number


def format_count(value: Any, unit: str = "") -> str | None:
    """Write a number with thousands separated, and its unit; None if it is not a number."""
    number = read_number(value)
    return None if number is None else f"{number:,.0f} {unit}".strip()


def format_score(value: float) -> str:
    """Write a score with the decimals that its size leaves worth reading, as charts do."""
    size = abs(value)
    return f"{value:.{1 if size >= 100 else 2 if size >= 1 else 3}f}"


def format_bytes(size: int) -> str:
    """Write the size of a file in kB or MB."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{max(1, round(size / 1e3))} kB"


def format_seconds(value: Any) -> str | None:
    """Write a duration in seconds, minutes or hours; None if it is not a number."""
    seconds = read_number(value)
    if seconds is None:
        return None
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60:,} h {minutes % 60} min"
