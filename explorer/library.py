"""What is in a folder of checkpoints: readable, or why not."""

import itertools
import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from training.checkpoint import (
    SUFFIX,
    CheckpointHeader,
    hash_weights,
    load_generator,
    load_header,
)
from training.errors import CheckpointError, ProjectError
from training.files import get_cache_dir

if TYPE_CHECKING:
    from training.metrics.reference import ReferenceStatistics

REFERENCES_FOLDER = "references"
MAX_REFERENCES = 4  # in memory; one takes some 40 MB with its covariance's factor

FileStamp = tuple[int, int]  # modification time in ns, size in bytes
_StampedFile = tuple[Path, FileStamp]


@dataclass(frozen=True)
class CheckpointEntry:
    """Describe one checkpoint file: its header, or the sentence that says why it has none."""

    name: str
    path: Path
    header: CheckpointHeader | None = None
    error: str | None = None


@dataclass(frozen=True)
class LibraryChange:
    """List the names that a rescan found added, removed or changed."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything changed."""
        return bool(self.added or self.removed or self.changed)


class CheckpointLibrary:
    """List and load the ``*.safetensors`` files directly inside a folder.

    Hidden files (which temporary ones are) and folders are skipped. A damaged file becomes an
    entry with an error instead of an exception. Safe to use from several threads. Messages call
    the folder ``shown``, unless given as it is.
    """

    def __init__(self, folder: Path, shown: Path | None = None) -> None:
        self.folder = Path(folder)
        self.shown = self.folder if shown is None else shown
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[FileStamp, CheckpointEntry]] = {}
        self._fingerprints: dict[Path, tuple[FileStamp, str]] = {}
        self._reference_lock = threading.Lock()
        self._references: dict[str, tuple[list[_StampedFile], ReferenceStatistics | None]] = {}
        self.rescan()

    def rescan(self) -> LibraryChange:
        """Look at the folder again, reading only new and changed files, and say what changed."""
        with self._lock:
            old, new = self._entries, {}
            for path, stamp in _list_checkpoints(self.folder):
                known = old.get(path.stem)
                if known is None or known[0] != stamp:
                    known = (stamp, _read_entry(path))
                new[path.stem] = known
            self._entries = new
        return LibraryChange(
            added=tuple(name for name in new if name not in old),
            removed=tuple(name for name in old if name not in new),
            changed=tuple(name for name in new if name in old and new[name][0] != old[name][0]),
        )

    @property
    def entries(self) -> list[CheckpointEntry]:
        """Return all entries, the best score first, then by name, and last what is not readable.

        Scores of one data set alone compare: the data set with most models comes first as a whole.
        Whatever shows one model before anything is chosen then shows the one worth seeing.
        """
        groups: dict[str, list[CheckpointEntry]] = {}
        damaged = []
        for entry in sorted((entry for _, entry in self._entries.values()), key=_rank):
            if entry.header is None:
                damaged.append(entry)
            else:
                groups.setdefault(_identify_data(entry.header), []).append(entry)
        largest_first = sorted(groups.values(), key=len, reverse=True)
        return [*itertools.chain.from_iterable(largest_first), *damaged]

    @property
    def names(self) -> list[str]:
        """Return the names of the readable checkpoints, in the order of `entries`."""
        return [entry.name for entry in self.entries if entry.header is not None]

    @property
    def message(self) -> str | None:
        """Return a sentence saying why nothing can be shown, None if something can."""
        if self.names:
            return None
        advice = "train one with `python -m training train` or name another folder"
        if not self.folder.is_dir():
            return f"There is no checkpoint folder {self.shown}: {advice}."
        if self.entries:
            return f"None of the checkpoints in {self.shown} is readable: {advice}."
        return f"There are no {SUFFIX} files in {self.shown}: {advice}."

    def get(self, name: str) -> CheckpointEntry:
        """Return a readable entry; raises CheckpointError if it is unknown or damaged."""
        _, entry = self._entries.get(name, (None, None))
        if entry is None:
            known = ", ".join(self.names)
            hint = f"choose one of {known}." if known else (self.message or "")
            raise CheckpointError(f"There is no model {name!r} in {self.shown}: {hint}")
        if entry.header is None:
            raise CheckpointError(entry.error or f"{entry.path.name} cannot be read.")
        return entry

    def load(self, name: str) -> tuple[nn.Module, CheckpointHeader]:
        """Load a generator onto the CPU, validated in full; raises CheckpointError."""
        return load_generator(self.get(name).path)

    def get_stamp(self, name: str) -> FileStamp:
        """Return the file's present modification time and size; raises CheckpointError if gone."""
        path = self.get(name).path
        try:
            return _read_stamp(path)
        except OSError as error:
            raise CheckpointError(
                f"{path.name} has gone from {self.shown}: put it back or choose another model."
            ) from error

    def get_fingerprint(self, name: str) -> str:
        """Return the hash of a checkpoint's weights, 32 hex digits, cached until it changes."""
        path, stamp = self.get(name).path, self.get_stamp(name)
        known = self._fingerprints.get(path)
        if known is None or known[0] != stamp:
            known = self._fingerprints[path] = (stamp, hash_weights(path))
        return known[1]

    def find_reference(
        self, entry: CheckpointEntry, extractor: str
    ) -> "ReferenceStatistics | None":
        """Look for the statistics of the data set a model learned, None if there are none.

        They are in the references folder inside this one, or in the cache. Those found last stay
        in memory until a file in either folder changes.
        """
        from training.metrics.reference import find_reference

        if entry.header is None:
            return None
        dataset = entry.header.dataset
        folders = [self.get_references_folder(), get_cache_dir() / REFERENCES_FOLDER]
        facts = ("fingerprint", "resolution", "label_fingerprints")
        wanted = repr((*(dataset.get(fact) for fact in facts), extractor))
        files = [found for folder in folders for found in _list_checkpoints(folder)]
        with self._reference_lock:  # reading and checking one takes a good part of a second
            known = self._references.pop(wanted, None)
            if known is None or known[0] != files:
                known = (files, find_reference(dataset, extractor, folders))
            self._references[wanted] = known
            if len(self._references) > MAX_REFERENCES:
                del self._references[next(iter(self._references))]
        return known[1]

    def get_references_folder(self) -> Path:
        """Return the folder, present or not, in which reference statistics belong."""
        return self.folder / REFERENCES_FOLDER


def _list_checkpoints(folder: Path) -> list[_StampedFile]:
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
        try:
            if not path.name.startswith(".") and path.is_file():
                found.append((path, _read_stamp(path)))
        except OSError:
            continue  # removed since the folder was listed: the next look will agree
    return found


def _read_stamp(path: Path) -> FileStamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _read_entry(path: Path) -> CheckpointEntry:
    try:
        return CheckpointEntry(path.stem, path, header=load_header(path))
    except ProjectError as error:
        return CheckpointEntry(path.stem, path, error=str(error))


def _identify_data(header: CheckpointHeader) -> str:
    """Return what tells data sets apart; models without a known one stand together."""
    return str(header.dataset.get("fingerprint"))


def _rank(entry: CheckpointEntry) -> tuple[float, str]:
    best = entry.header.best_score if entry.header else None
    return (math.inf if best is None else float(best["score"]), entry.name)
