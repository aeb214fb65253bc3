"""How many cores there are to share out, and work that a single one does best."""

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def count_usable_cores() -> int:
    """Count the cores that this process may run on, which can be fewer than there are.

    A limit on its share of their time, as containers have them, is not known here.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def on_one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Let NumPy and SciPy compute on one thread while a function runs.

    OpenBLAS's threads wait for each other by spinning. Where other work wants the cores, as in the
    app, eigenvalues that one thread finds in 0.2 s took two threads up to 9 s; on a quiet machine
    two are hardly quicker. Calls from several threads at once may put back each other's number,
    which costs time and nothing else.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return run
