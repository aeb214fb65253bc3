"""List and read the files of a folder or .zip."""

import hashlib
import os
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from training.datasets.labels import LABELS_FILE
from training.datasets.notes import count_things, list_names
from training.errors import DatasetError

IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp", ".dib"),
        *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".tga"),
    )
)


@dataclass(frozen=True)
class FileEntry:
    """Name one file: posix path inside of the folder or zip, size in bytes, time of change."""

    name: str
    size: int
    modified: str


@dataclass(frozen=True)
class Listing:
    """Hold what was found: files, and links that were not followed, by their names."""

    files: list[FileEntry]
    links: list[str] = field(default_factory=list)

    @cached_property
    def images(self) -> list[FileEntry]:
        """Return the files that are images by their suffix."""
        return [file for file in self.files if _get_suffix(file) in IMAGE_SUFFIXES]

    @property
    def tables(self) -> list[str]:
        """Return the names of tables of labels, the one nearest to the top first."""
        names = [f.name for f in self.files if f.name.lower().rpartition("/")[2] == LABELS_FILE]
        return sorted(names, key=lambda name: (name.count("/"), name))

    def describe_others(self) -> tuple[str, ...]:
        """Say what was passed over: files of other suffixes, links, and further tables."""
        tables, notes = self.tables, []
        known = {file.name for file in self.images} | set(tables)
        others = Counter(_get_suffix(f) or "none" for f in self.files if f.name not in known)
        if others:
            counts = [f"{suffix} ({count:,})" for suffix, count in sorted(others.items())]
            files = count_things(others.total(), "file")
            notes.append(f"passed over {files}, no images by their suffix: {list_names(counts)}")
        if self.links:
            links = count_things(len(self.links), "link")
            names_of_links = list_names(self.links)
            notes.append(f"did not follow {links}, since only those to files are: {names_of_links}")
        if len(tables) > 1:
            notes.append(f"took labels from {tables[0]}, not from {list_names(tables[1:])}")
        return tuple(notes)


def _get_suffix(file: FileEntry) -> str:
    return PurePosixPath(file.name).suffix.lower()


def list_files(path: Path) -> Listing:
    """List the files of a folder or zip, sorted by name, without hidden ones.

    Links to files are followed, links to folders are not: they may lead in circles. Raises
    DatasetError if the path is missing, is another kind of file, is a damaged zip, or if a folder
    in it cannot be read.
    """
    if not path.exists():
        raise DatasetError(
            f"{path} is not there: give the path of a folder or a .zip of images, "
            "such as folder:~/pictures or folder:faces.zip."
        )
    if path.is_dir():
        listing = _list_folder(path)
    elif zipfile.is_zipfile(path):
        listing = Listing(_list_zip(path))
    else:
        raise DatasetError(
            f"{path} is neither a folder nor a readable .zip file: give a folder of images, or "
            "pack them as .zip; a download that broke off has to be repeated."
        )
    return Listing(sorted(listing.files, key=lambda file: file.name), sorted(listing.links))


def _list_folder(path: Path) -> Listing:
    found = Listing([])

    def refuse(error: OSError) -> None:
        raise error

    try:
        for folder, folders, files in os.walk(path, onerror=refuse):
            folders[:] = [name for name in folders if _is_visible(name)]
            for name in (*folders, *filter(_is_visible, files)):
                file = Path(folder) / name
                relative = file.relative_to(path).as_posix()
                if file.is_file():
                    stat = file.stat()
                    found.files.append(FileEntry(relative, stat.st_size, str(stat.st_mtime_ns)))
                elif file.is_symlink():
                    found.links.append(relative)
    except OSError as error:
        raise DatasetError(
            f"{error.filename or path} cannot be read ({error.strerror}), so some images of {path} "
            "might be missed: see to its permissions or the disk, or take it out."
        ) from error
    return found


def _list_zip(path: Path) -> list[FileEntry]:
    try:
        infos = _open_zip(path).infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise DatasetError(f"{path} cannot be read as .zip ({error}): get it again.") from error
    names = {info.filename: info for info in infos if not info.is_dir()}
    return [
        FileEntry(name, info.file_size, str(info.date_time))
        for name, info in names.items()
        if all(map(_is_visible, PurePosixPath(name).parts))
    ]


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


# Kept open: listing a large zip takes longer than decoding an image. Size and time tell apart
# a file that was replaced.
@lru_cache(maxsize=2)
def _open_zip_version(path: Path, size: int, modified: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _open_zip(path: Path) -> zipfile.ZipFile:
    stat = path.stat()
    return _open_zip_version(path, stat.st_size, stat.st_mtime_ns)


def close_zip() -> None:
    """Close the zip files that this process keeps open between reads."""
    _open_zip_version.cache_clear()


def read_bytes(path: Path, name: str) -> bytes:
    """Read one file of a folder or zip.

    Raises DatasetError where the disk or network fails, and zipfile's errors for a damaged member.
    """
    try:
        if path.is_dir():
            return (path / name).read_bytes()
        return _open_zip(path).read(name)
    except OSError as error:
        if error.errno is None:  # a decompressor's word for damaged data
            raise
        raise DatasetError(
            f"{name} in {path} cannot be read ({error.strerror}): see to the disk, network or "
            "permissions, or take the file out, and run the command again; nothing was cached."
        ) from error


def get_identity(path: Path, entries: list[FileEntry]) -> dict[str, Any]:
    """Return what changes when the images do: path, size and time of each file or of the zip."""
    digest = hashlib.blake2b(digest_size=16)
    for entry in entries:
        line = f"{entry.name}\0{entry.size}\0{entry.modified}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    identity: dict[str, Any] = {"path": str(path.resolve()), "files": digest.hexdigest()}
    if path.is_file():
        stat = path.stat()
        identity["zip"] = [stat.st_size, stat.st_mtime_ns]
    return identity
