"""Read CelebA, the aligned faces, from its folder or .zip, with its 40 attributes."""

import sys
from pathlib import Path, PurePosixPath

from training.datasets.cache import encode_labels
from training.datasets.folder import close_zip, decode_files, list_files, select_images
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
    path = find_images(options)
    if path is None:
        download_celeba(options)
        path = find_images(options)
    if path is None:
        raise DatasetError(f"CelebA was not found after the download. {_tell_where(options)}")
    try:
        files = select_images(list_files(path))[: options.max_images]
        if not files:
            raise DatasetError(f"{path} holds no image. {_tell_where(options)}")
        cached = decode_files(path, files, "celeba", options, progress)
    finally:
        close_zip()
    notes = describe_failures(cached.failures)
    columns: tuple[LabelColumn, ...] = ()
    rows: list[tuple[str, ...]] = []
    attributes = find_attributes(path)
    if attributes is None:
        notes += (f"no labels: {ATTRIBUTE_FILES[0]} is not beside {path}",)
    else:
        names = [PurePosixPath(files[i].name).name for i in cached.indices]
        columns, rows = read_attributes(attributes, names)
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
    path = find_images(options)
    return f"found in {path}" if path is not None else "needs download"


def find_images(options: DatasetOptions) -> Path | None:
    """Return the folder or .zip of the aligned images, or None."""
    root = get_data_root(options)
    candidates = [base / place for base in (root / "celeba", root) for place in IMAGE_PLACES]
    return next((path for path in candidates if path.exists()), None)


def find_attributes(images: Path) -> Path | None:
    """Return the file of attributes beside the images, or None."""
    candidates = [images.parent / name for name in ATTRIBUTE_FILES]
    return next((path for path in candidates if path.is_file()), None)


def read_attributes(
    path: Path, names: list[str]
) -> tuple[tuple[LabelColumn, ...], list[tuple[str, ...]]]:
    """Read the attributes of the named images: columns of "no" and "yes", a row for each image.

    Reads the original table (a count, the names, then a line for each image) and the same with
    commas. Raises DatasetError if it cannot be read or misses an image.
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
        chosen = [rows[name] for name in names]
        if any(len(row) != len(attributes) for row in chosen):
            raise ValueError(f"{len(attributes)} attributes are named, a line has others")
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise DatasetError(
            f"{path} cannot be used ({type(error).__name__}: {shorten(error)}): expected one line "
            "for each image, its name and then 1 or -1 for each attribute; get the file again."
        ) from error
    return tuple(LabelColumn(name, VALUES) for name in attributes), chosen


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
