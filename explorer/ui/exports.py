"""The files that the page and the endpoints leave for download."""

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path

# A page that stays open may ask for its file late: files go only where newer ones need the room,
# and then none of the last hour, unless the disk could fill. A file that is gone can be made again.
MAX_BYTES = 1_000_000_000
KEPT_SECONDS = 3600
CEILING_BYTES = 4_000_000_000


class ExportFolder:
    """Keep files to download, each in a folder of its own whose name nobody can guess."""

    def __init__(
        self, root: Path, max_bytes: int = MAX_BYTES, ceiling_bytes: int = CEILING_BYTES
    ) -> None:
        self.root = root.resolve()
        self.max_bytes = max_bytes
        self.ceiling_bytes = ceiling_bytes
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def make(self, name: str, suffix: str) -> Iterator[Path]:
        """Give a path as `make_path` does; where the block fails, nothing stays."""
        path = self.make_path(name, suffix)
        try:
            yield path
        except BaseException:
            self.discard(path)
            raise

    def make_path(self, name: str, suffix: str) -> Path:
        """Return a path for a new file, safe to write to whatever the name is.

        Above ``max_bytes`` the oldest files are removed, but none that was written within an hour;
        above ``ceiling_bytes`` these too.
        """
        safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)[:80]
        with self._lock:
            self.root.mkdir(parents=True, exist_ok=True)
            self._make_room()
            folder = self.root / secrets.token_hex(8)
            folder.mkdir()
        return folder / f"{safe}{suffix}"

    def discard(self, path: Path) -> None:
        """Remove a path of `make_path` under which there is to be no file after all."""
        with self._lock:
            _remove(path.parent)

    def _make_room(self) -> None:
        found = sorted((*_measure(folder), folder) for folder in self.root.iterdir())
        total = sum(size for _, size, _ in found)
        for changed, size, folder in found:
            is_young = time.time() - changed < KEPT_SECONDS
            if total <= (self.ceiling_bytes if is_young else self.max_bytes):
                break
            _remove(folder)
            total -= size


def _measure(folder: Path) -> tuple[float, int]:
    """Return when anything in a folder was last written, and its bytes; files may come and go."""
    changed, size = 0.0, 0
    with contextlib.suppress(OSError):
        changed = folder.stat().st_mtime
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                facts = path.stat()
                changed, size = max(changed, facts.st_mtime), size + facts.st_size
    return changed, size


def _remove(folder: Path) -> None:
    """Remove a folder and its files; what cannot go now, such as a file being sent, stays."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                path.unlink()
        folder.rmdir()
