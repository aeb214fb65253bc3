"""Read a folder or a .zip of images, with labels from a CSV file if there is one."""

import struct
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from training.datasets.cache import CachedImages, encode_labels, load_or_decode
from training.datasets.decode import decode_image
from training.datasets.labels import build_columns, parse_labels
from training.datasets.listing import (
    FileEntry,
    Listing,
    close_zip,
    get_identity,
    list_files,
    read_bytes,
)
from training.datasets.notes import describe_failures
from training.datasets.pool import Chunk
from training.datasets.types import DatasetOptions, ImageDataset, LabelColumn
from training.errors import DatasetError

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

    A labels.csv that cannot be used is noted, and refused by who wants labels. Raises DatasetError
    if the path is missing, holds no usable image, or a crop does not fit.
    """
    path = Path(argument).expanduser()
    listing = list_files(path)
    if not listing.images:
        found = "; ".join(listing.describe_others()) or "there is no file"
        raise DatasetError(
            f"No image was found in {path}: expected files such as .jpg, .png or .webp, in the "
            f"folder itself or in folders below it ({found})."
        )
    try:
        return _load_images(path, listing, options, progress)
    finally:
        close_zip()


def _load_images(
    path: Path, listing: Listing, options: DatasetOptions, progress: bool
) -> ImageDataset:
    images = listing.images[: options.max_images]
    place = path.absolute()  # "." has no name
    cached = decode_files(path, images, place.stem, options, progress)
    notes = listing.describe_others() + describe_failures(cached.failures)
    labels = load_labels(path, listing, [images[i].name for i in cached.indices])
    notes += (labels.problem,) if labels.problem else labels.notes
    for note in notes if progress else ():
        print(f"{place.name}: {note}", file=sys.stderr)
    return ImageDataset(
        name=f"folder:{place.name}",
        title=options.title or (place.name if place.is_dir() else place.stem),
        terms=options.terms or DEFAULT_TERMS,
        images=cached.images,
        fingerprint=cached.fingerprint,
        labels=encode_labels(labels.rows, labels.columns) if labels.columns else None,
        label_columns=labels.columns,
        notes=notes,
        label_problem=labels.problem,
    )


def decode_files(
    path: Path, files: list[FileEntry], slug: str, options: DatasetOptions, progress: bool
) -> CachedImages:
    """Decode files of a folder or zip, or read them from the cache."""
    names = tuple(entry.name for entry in files)
    decoder = FolderDecoder(path, names, options.resolution, options.channels, options.crop)
    return load_or_decode(slug, get_identity(path, files), decoder, options, progress)


def find_folder(_options: DatasetOptions) -> str:
    """Say what to give; whether a folder is here depends on its path."""
    return "give a path"


@dataclass(frozen=True)
class FolderLabels:
    """Hold columns and rows of labels and notes on them, or what keeps them from being used."""

    columns: tuple[LabelColumn, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""


def load_labels(path: Path, listing: Listing, names: list[str]) -> FolderLabels:
    """Read the labels of the named images from the labels.csv nearest to the top, if there is one.

    Raises DatasetError if it is there and cannot be read.
    """
    if not listing.tables:
        return FolderLabels()
    name = listing.tables[0]
    data = read_bytes(path, name)
    try:
        table = parse_labels(data, name, str(path))
        known = frozenset(file.name for file in listing.files)
        return FolderLabels(*build_columns(table, tuple(names), known))
    except DatasetError as error:  # of images whose labels nobody may want
        return FolderLabels(problem=str(error))
