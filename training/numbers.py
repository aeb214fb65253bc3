"""Numbers of files that anyone may have written."""

import math
from typing import Any


def read_number(value: Any) -> float | None:
    """Return a finite number, None for anything else that JSON may hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return None
    return number if math.isfinite(number) else None
