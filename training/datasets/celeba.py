"""Read CelebA, the aligned faces, from its folder or .zip, with its 40 attributes."""

import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from training.datasets.cache import encode_labels
from training.datasets.folder import decode_files
from training.datasets.listing import FileEntry, close_zip, list_files
from training.datasets.notes import describe_failures
from training.datasets.torchvision_sets import get_data_root, shorten
from training.datasets.types import DatasetOptions, ImageDataset, LabelColumn
from training.errors import DatasetError

TITLE = "CelebA aligned faces"
TERMS = "non-commercial research only, Liu et al. 2015"
ATTRIBUTE_FILES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
IMAGE_PLACES = ("img_align_celeba", "img_align_celeba.zip")
VALUES = ("no", "yes")


def load_celeba(_argument: str, options: DatasetOptions, progress: bool) -> ImageDataset:
    """Load CelebA, downloaded below the data root if it is not there; the centred square of each.

    Raises DatasetError if it cannot be downloaded or its files are damaged.
    """
    if not list_places(options):
        download_celeba(options)
    places = list_places(options)
    if not places:
        raise DatasetError(f"CelebA was not found after the download. {_tell_where(options)}")
    try:
        path, files, table = choose_place(places)
        if not files:
            raise DatasetError(f"{path} holds no image. {_tell_where(options)}")
        cached = decode_files(path, files[: options.max_images], "celeba", options, progress)
    finally:
        close_zip()
    notes = describe_failures(cached.failures)
    columns: tuple[LabelColumn, ...] = ()
    rows: list[tuple[str, ...]] = []
    if table is None:
        notes += (f"no labels: {ATTRIBUTE_FILES[0]} is not beside {path}",)
    else:
        names = [PurePosixPath(files[i].name).name for i in cached.indices]
        columns, rows = table.columns, table.pick(names)
        if len(files) < len(table.rows):
            notes += (
                f"{path} has {len(files):,} of the {len(table.rows):,} images that "
                f"{table.path.name} names: unpack them again, or put {IMAGE_PLACES[1]} beside it",
            )
    for note in notes if progress else ():
        print(f"celeba: {note}", file=sys.stderr)
    return ImageDataset(
        name="celeba",
        title=TITLE,
        terms=TERMS,
        images=cached.images,
        fingerprint=cached.fingerprint,
        labels=encode_labels(tuple(rows), columns) if columns else None,
        label_columns=columns,
        notes=notes,
    )


def find_celeba(options: DatasetOptions) -> str:
    """Say whether CelebA is found or to be downloaded."""
    places = list_places(options)
    return f"found in {places[0]}" if places else "needs download"


def list_places(options: DatasetOptions) -> list[Path]:
    """List the folders and .zip files of the aligned images that are there."""
    root = get_data_root(options)
    candidates = [base / place for base in (root / "celeba", root) for place in IMAGE_PLACES]
    return [path for path in candidates if path.exists()]


def choose_place(places: list[Path]) -> tuple[Path, list[FileEntry], "AttributeTable | None"]:
    """Choose the first place with an image for each line of its attributes, else the fullest.

    A folder that was unpacked in part is there as a whole one would be. Returns the images, by
    name, and the attributes as well; raises DatasetError if a place or table cannot be read.
    """
    found = []
    for path in places:
        files, attributes = list_files(path).images, find_attributes(path)
        table = None if attributes is None else read_attributes(attributes)
        if files and len(files) >= (len(table.rows) if table else 0):
            return path, files, table
        found.append((path, files, table))
    return max(found, key=lambda place: len(place[1]))


def find_attributes(images: Path) -> Path | None:
    """Return the file of attributes beside the images, or None."""
    candidates = [images.parent / name for name in ATTRIBUTE_FILES]
    return next((path for path in candidates if path.is_file()), None)


@dataclass(frozen=True)
class AttributeTable:
    """Hold a file of attributes: columns of "no" and "yes", and a row of these for each image."""

    path: Path
    columns: tuple[LabelColumn, ...]
    rows: dict[str, tuple[str, ...]]

    def pick(self, names: list[str]) -> list[tuple[str, ...]]:
        """Return the rows of the named images; raises DatasetError if one is missing."""
        missing = next((name for name in names if name not in self.rows), None)
        if missing is not None:
            raise _describe_damage(self.path, f"it lacks {missing}")
        return [self.rows[name] for name in names]


def read_attributes(path: Path) -> AttributeTable:
    """Read the original table (a count, the names, a line for each image), or it with commas.

    Raises DatasetError if it cannot be read.
    """
    try:
        lines = [line.replace(",", " ").split() for line in path.read_text("utf-8").splitlines()]
        header = next(number for number, line in enumerate(lines) if len(line) > 1)
        attributes = [name for name in lines[header] if name != "image_id"]
        values = {"-1": VALUES[0], "0": VALUES[0], "1": VALUES[1]}
        rows = {
            line[0]: tuple(values[text] for text in line[1:])
            for line in lines[header + 1 :]
            if line
        }
        if any(len(row) != len(attributes) for row in rows.values()):
            raise ValueError(f"{len(attributes)} attributes are named, a line has others")
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise _describe_damage(path, f"{type(error).__name__}: {shorten(error)}") from error
    return AttributeTable(path, tuple(LabelColumn(name, VALUES) for name in attributes), rows)


def _describe_damage(path: Path, what: str) -> DatasetError:
    return DatasetError(
        f"{path} cannot be used ({what}): expected one line for each image, its name and then 1 or "
        "-1 for each attribute; get the file again."
    )


def download_celeba(options: DatasetOptions) -> None:
    """Download CelebA with torchvision from its Google Drive."""
    import torchvision.datasets

    try:
        torchvision.datasets.CelebA(root=get_data_root(options), split="all", download=True)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise DatasetError(
            f"CelebA cannot be downloaded ({shorten(error)}). {_tell_where(options)}"
        ) from error


def _tell_where(options: DatasetOptions) -> str:
    folder = get_data_root(options) / "celeba"
    return (
        f"Get img_align_celeba.zip and {ATTRIBUTE_FILES[0]} from "
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, put them into "
        f"{folder} (another place with --data-root), and run the command again."
    )
