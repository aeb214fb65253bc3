"""One process at a time per run folder."""

import contextlib
import errno
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from training.errors import CheckpointError
from training.files import explain_write_errors

if sys.platform == "win32":
    import msvcrt

    # Locked bytes cannot be read there: this one lies behind the text.
    LOCKED_BYTE = 1 << 20

    def _try_lock(descriptor: int) -> None:
        os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


IS_TAKEN = (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
NUM_TRIES, SECONDS_BETWEEN_TRIES = 10, 0.05
IS_UNKNOWN_HERE = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


@contextlib.contextmanager
def lock_run(path: Path) -> Iterator[None]:
    """Hold a run's lock file while the ``with`` block runs; raises CheckpointError if it is taken.

    The operating system lets go of the lock when its process ends, however it ends: a file left by
    a dead process blocks nobody. Where the file system has no locks, a warning says so.
    """
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _take(descriptor, path)
        with explain_write_errors(path):
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _lock_patiently(descriptor: int) -> None:
    """Take a lock; whoever only looks whether it is taken holds it for a moment."""
    for _ in range(NUM_TRIES - 1):
        try:
            return _try_lock(descriptor)
        except OSError as error:
            if error.errno not in IS_TAKEN:
                raise
            time.sleep(SECONDS_BETWEEN_TRIES)
    return _try_lock(descriptor)


def _take(descriptor: int, path: Path) -> None:
    try:
        _lock_patiently(descriptor)
    except OSError as error:
        if error.errno in IS_UNKNOWN_HERE:
            print(
                f"warning: {path} cannot be locked ({error.strerror}): do not start a second "
                "training of this run.",
                file=sys.stderr,
            )
            return
        if error.errno not in IS_TAKEN:
            raise
        pid, _, host = path.read_text(encoding="utf-8", errors="replace").strip().partition(" ")
        raise CheckpointError(
            f"{path.parent} is being trained by process {pid or 'unknown'} on {host or 'unknown'}: "
            "wait for it, stop it, or choose another --name."
        ) from error
