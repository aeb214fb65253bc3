"""The files of one training run, which another process may be writing: what is there, what runs."""

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.runs import RunFolder

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = "lock"
# A score of many samples on a slow machine writes nothing for as long.
SILENT_SECONDS = 120

FileStamp = tuple[int, int]  # modification time in ns, size in bytes


def is_run(path: Path) -> bool:
    """Tell whether a folder is a run: not hidden, no link, with options or metrics."""
    files = RunFolder(path)
    return (
        not path.name.startswith(".")
        and is_plain(path, stat.S_ISDIR)
        and (is_plain(files.options_path) or is_plain(files.metrics_path))
    )


def is_running(path: Path, is_at_goal: bool = False) -> bool:
    """Tell whether a process trains the run in a folder.

    A training holds an exclusive lock on the file ``lock``. Where there is no such file, or files
    cannot be locked, it runs if it has written something lately and is not at its goal.
    """
    is_held = _is_lock_held(path / LOCK_NAME)
    if is_held is not None:
        return is_held
    return not is_at_goal and time.time() - read_last_change(path) < SILENT_SECONDS


def _is_lock_held(path: Path) -> bool | None:
    """Tell whether another process holds the exclusive lock on a file, None if nobody can tell."""
    if fcntl is None or not is_plain(path):
        return None
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        # Shared, and given back at once: other lookers do not take each other for a training.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return None
    else:
        return False
    finally:
        os.close(file)


def list_grids(path: Path) -> dict[int, Path]:
    """List a run's grids of samples by growing step; links are left out."""
    files = RunFolder(path)
    grids = files.list_grids() if is_plain(files.samples, stat.S_ISDIR) else {}
    return {step: grid for step, grid in grids.items() if is_plain(grid)}


def read_options(path: Path) -> tuple[dict[str, Any], str | None]:
    """Read a run's options, or say in a sentence why they cannot be read."""
    unknown = "its model, data and goal are not known."
    if not is_plain(path):
        return {}, f"{path.name} is missing: {unknown}"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return {}, f"{path.name} cannot be read ({error.strerror}): {unknown}"
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return {}, f"{path.name} is damaged, it holds no JSON object: {unknown}"
    return values, None


def is_plain(path: Path, is_kind: Callable[[int], bool] = stat.S_ISREG) -> bool:
    """Tell whether a regular file (or a folder) is there itself, not a link to one."""
    try:
        return is_kind(path.lstat().st_mode)
    except OSError:
        return False


def read_stamp(path: Path) -> FileStamp | None:
    """Return when a file was written and its size, None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def read_milliseconds(path: Path) -> int:
    """Return when a file was written, in ms since 1970; 0 if there is none."""
    stamp = read_stamp(path)
    return stamp[0] // 1_000_000 if stamp else 0


def read_last_change(path: Path) -> float:
    """Return when a run wrote options or metrics last, in seconds since 1970; 0 if never."""
    files = RunFolder(path)
    return max(read_milliseconds(file) for file in (files.options_path, files.metrics_path)) / 1000
