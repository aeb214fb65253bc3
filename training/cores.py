"""How many cores there are to share out, asked in one place."""

import os


def count_usable_cores() -> int:
    """Count the cores that this process may use, which in a container can be fewer than exist."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
