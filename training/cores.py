"""How many cores there are to share out, and work that a single one does best."""

import functools
import os
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def count_usable_cores() -> int:
    """Count the cores that this process may use, which in a container can be fewer than exist."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def on_one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Let NumPy and SciPy compute on one thread while a function runs.

    OpenBLAS's threads wait for each other by spinning. Where other work wants the cores, as in the
    app, eigenvalues that one thread finds in 0.2 s took two threads up to 9 s; on a quiet machine
    two are hardly quicker.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with _ONE_BLAS_THREAD:
            return function(*args, **kwargs)

    return run


class _OneBlasThread:
    """Limit linear algebra to one thread from the first who enters until the last has left.

    The number of threads is one for the whole process: two that each put back what they found
    would leave it wrong.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_inside = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._num_inside == 0:
                from threadpoolctl import threadpool_limits

                self._limits = threadpool_limits(limits=1, user_api="blas")
            self._num_inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._num_inside -= 1
            if self._num_inside == 0:
                self._limits.restore_original_limits()


_ONE_BLAS_THREAD = _OneBlasThread()
