"""Files that are either whole or absent, and what to say when they cannot be written."""

import contextlib
import errno
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from training.errors import ProjectError

FULL_DISK = {
    errno.ENOSPC: "No space left on the disk",
    errno.EDQUOT: "No space left in the disk quota",
    errno.EFBIG: "No larger file is allowed here",
}
UNWRITABLE = (
    *(errno.EROFS, errno.EACCES, errno.EPERM),
    # A file where a folder should be, or the other way round; names that cannot be.
    *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
    errno.ENOENT,  # some file systems, such as /proc, say so of a new folder
)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file as in `replace_atomically`, all at once, by ``write(temporary)``."""
    with replace_atomically(path) as temporary:
        write(temporary)


@contextlib.contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary name beside a file, and in the end flush it to disk and rename it.

    Whoever reads ``path`` sees the old content or the new, never a half, also after a power cut. If
    the block is left by an error, or a generator in it is closed, the temporary file is removed. A
    full disk raises ProjectError and leaves the old file as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unique per call: two threads may write the same file.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with explain_full_disk(path):
            yield temporary
            with temporary.open("r+b") as file:  # Windows flushes only what is open for writing
                os.fsync(file.fileno())
            temporary.replace(path)
            _flush_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):  # the error that led here is the one to tell
            temporary.unlink()


def write_bytes(path: Path, *parts: bytes | memoryview) -> None:
    """Write bytes, one part after another, to a file atomically."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)

    write_atomically(path, write)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a file atomically."""
    write_bytes(path, text.encode("utf-8"))


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove the temporary files that writers of ``name`` in a folder left when they were killed.

    Only for files that no other process is writing now.
    """
    for path in folder.glob(f".{name}.*.tmp"):
        path.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Raise ProjectError if no file can be made in a folder; the folder is made if missing."""
    with explain_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def check_output(path: Path) -> None:
    """Raise ProjectError if a file to be written is a folder, or its own folder lets none be."""
    if path.is_dir():
        raise ProjectError(f"{path} is a folder: name the file in it that is to be written.")
    check_writable(path.parent)


@contextlib.contextmanager
def explain_full_disk(path: Path) -> Iterator[None]:
    """Raise ProjectError where a disk, a quota or a limit has no room for ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        raise ProjectError(
            f"{FULL_DISK[error.errno]} while writing {path}: "
            "free some space, then go on; the file there before is untouched."
        ) from error


@contextlib.contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Raise ProjectError where there is no room for ``path`` or it may not be written."""
    try:
        with explain_full_disk(path):
            yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        found = error.filename2 or error.filename or path  # of a renaming, the name it was to have
        raise ProjectError(
            f"{found} cannot be written ({error.strerror}): make it writable or "
            "choose another folder; what was there is untouched."
        ) from error


def get_cache_dir(cache_dir: Path | None = None) -> Path:
    """Return the folder for caches, which need not be there yet.

    It is ``cache_dir``, else one in ``$XDG_CACHE_HOME``, else in ``~/.cache``.
    """
    if cache_dir is not None:
        return cache_dir
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "latent-explorer"


def _flush_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename outlives a power cut."""
    if os.name == "nt":  # Windows opens no folders; its journal keeps renames in order
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(descriptor)


def slugify(name: str) -> str:
    """Return a data set's name as a part of file names: a-z, 0-9 and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
