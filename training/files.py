"""Files that are either whole or absent."""

import contextlib
import errno
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from training.errors import ProjectError


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under a temporary name beside it, flush it to disk and rename it into place.

    Whoever reads ``path`` sees the old content or the new, never a half. A full disk raises
    ProjectError and leaves the old file as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unique per call: two threads may write the same file.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ProjectError(
                f"No space left on the disk while writing {path}: "
                "free some space, then go on; the file there before is untouched."
            ) from error
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write bytes to a file atomically."""
    write_atomically(path, lambda temporary: _write_all(temporary, data))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a file atomically."""
    write_bytes(path, text.encode("utf-8"))


def _write_all(path: Path, data: bytes | memoryview) -> None:
    path.write_bytes(data)


def get_cache_dir(cache_dir: Path | None = None) -> Path:
    """Return the folder for caches, created; ``$XDG_CACHE_HOME`` or ``~/.cache`` unless given."""
    if cache_dir is None:
        base = os.environ.get("XDG_CACHE_HOME")
        cache_dir = (Path(base) if base else Path.home() / ".cache") / "latent-explorer"
    cache_dir.mkdir(parents=True, exist_ok=True)
    return cache_dir
