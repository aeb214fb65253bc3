"""Read a folder or a .zip of images, with labels from a CSV file if there is one."""

import hashlib
import os
import struct
import sys
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from training.datasets.cache import CachedImages, encode_labels, load_or_decode
from training.datasets.decode import decode_image
from training.datasets.labels import LABELS_FILE, LabelTable, build_columns, parse_labels
from training.datasets.notes import describe_failures
from training.datasets.pool import Chunk
from training.datasets.types import DatasetOptions, ImageDataset, LabelColumn
from training.errors import DatasetError

IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp", ".dib"),
        *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".tga"),
    )
)
DEFAULT_TERMS = "not stated; ask where the images come from"
# What Pillow and zipfile raise for damaged data.
UNDECODABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    Image.DecompressionBombError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class FileEntry:
    """Name one file: posix path inside of the folder or zip, size in bytes, time of change."""

    name: str
    size: int
    modified: str


@dataclass(frozen=True)
class FolderDecoder:
    """Decode the named files of a folder or zip."""

    path: Path
    names: tuple[str, ...]
    resolution: int
    channels: int
    crop: tuple[int, int, int, int] | None

    @property
    def num_items(self) -> int:
        """Count the files."""
        return len(self.names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Return (C, H, W)."""
        return self.channels, self.resolution, self.resolution

    def decode(self, indices: range) -> Chunk:
        """Decode a range of files; those that cannot be decoded are reported, not raised.

        Raises DatasetError where one cannot be read: the next time it may be, so that no cache
        should remember it as damaged.
        """
        images, kept, failures = [], [], []
        for index in indices:
            name = self.names[index]
            try:
                data = read_bytes(self.path, name)
                images.append(decode_image(data, name, self.resolution, self.channels, self.crop))
                kept.append(index)
            except UnidentifiedImageError:
                failures.append((name, "not an image of a known format"))
            except UNDECODABLE as error:
                failures.append((name, str(error) or type(error).__name__))
        pixels = np.array(images, dtype=np.uint8).reshape(-1, *self.image_shape)
        return Chunk(pixels, tuple(kept), failures=tuple(failures))


def load_folder(argument: str, options: DatasetOptions, progress: bool) -> ImageDataset:
    """Load the images below a folder or inside of a .zip, sorted by name.

    Raises DatasetError if the path is missing, holds no usable image, a crop does not fit, or
    labels.csv cannot be used.
    """
    path = Path(argument).expanduser()
    entries = list_files(path)
    images = select_images(entries)
    if not images:
        raise DatasetError(
            f"No image was found in {path}: expected files such as .jpg, .png or .webp, in the "
            f"folder itself or in folders below it; found {len(entries)} other files."
        )
    try:
        return _load_images(path, entries, images[: options.max_images], options, progress)
    finally:
        close_zip()


def _load_images(
    path: Path,
    entries: list[FileEntry],
    images: list[FileEntry],
    options: DatasetOptions,
    progress: bool,
) -> ImageDataset:
    table = load_labels(path, entries)
    place = path.absolute()  # "." has no name
    cached = decode_files(path, images, place.stem, options, progress)
    notes = describe_failures(cached.failures)
    columns: tuple[LabelColumn, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    if table is not None:
        names = tuple(images[i].name for i in cached.indices)
        known = frozenset(entry.name for entry in entries)
        columns, rows, label_notes = build_columns(table, names, known)
        notes += label_notes
    for note in notes if progress else ():
        print(f"{place.name}: {note}", file=sys.stderr)
    return ImageDataset(
        name=f"folder:{place.name}",
        title=options.title or place.stem,
        terms=options.terms or DEFAULT_TERMS,
        images=cached.images,
        fingerprint=cached.fingerprint,
        labels=encode_labels(rows, columns) if columns else None,
        label_columns=columns,
        notes=notes,
    )


def decode_files(
    path: Path, files: list[FileEntry], slug: str, options: DatasetOptions, progress: bool
) -> CachedImages:
    """Decode files of a folder or zip, or read them from the cache."""
    names = tuple(entry.name for entry in files)
    decoder = FolderDecoder(path, names, options.resolution, options.channels, options.crop)
    return load_or_decode(slug, get_identity(path, files), decoder, options, progress)


def select_images(entries: list[FileEntry]) -> list[FileEntry]:
    """Keep the files that are images by their suffix."""
    return [e for e in entries if PurePosixPath(e.name).suffix.lower() in IMAGE_SUFFIXES]


def find_folder(_options: DatasetOptions) -> str:
    """Say what to give; whether a folder is here depends on its path."""
    return "give a path"


def list_files(path: Path) -> list[FileEntry]:
    """List the files of a folder or zip, sorted by name, without hidden ones.

    Raises DatasetError if the path is missing, is another kind of file, or is a damaged zip.
    """
    if not path.exists():
        raise DatasetError(
            f"{path} is not there: give the path of a folder or a .zip of images, "
            "such as folder:~/pictures or folder:faces.zip."
        )
    if path.is_dir():
        entries = _list_folder(path)
    elif zipfile.is_zipfile(path):
        entries = _list_zip(path)
    else:
        raise DatasetError(
            f"{path} is neither a folder nor a readable .zip file: give a folder of images, or "
            "pack them as .zip; a download that broke off has to be repeated."
        )
    return sorted(entries, key=lambda entry: entry.name)


def _list_folder(path: Path) -> list[FileEntry]:
    entries = []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if _is_visible(name)]
        for name in filter(_is_visible, files):
            file = Path(folder) / name
            if file.is_file():
                stat = file.stat()
                relative = file.relative_to(path).as_posix()
                entries.append(FileEntry(relative, stat.st_size, str(stat.st_mtime_ns)))
    return entries


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


def load_labels(path: Path, entries: list[FileEntry]) -> LabelTable | None:
    """Read labels.csv nearest to the top, or return None if there is none."""
    names = [e.name for e in entries if PurePosixPath(e.name).name.lower() == LABELS_FILE]
    if not names:
        return None
    name = min(names, key=lambda name: (name.count("/"), name))
    return parse_labels(read_bytes(path, name), name, str(path))
