"""Lower priority for threads whose work nobody waits for by the second."""

import contextlib
import os
import sys
import threading

NICENESS = 10


def lower_priority() -> None:
    """Lower the priority of the calling thread, and of the threads it starts from now on.

    Only Linux has a priority for single threads; elsewhere, and where it is forbidden, nothing
    changes: the work is the same. A program that was started with a lower one keeps that.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
