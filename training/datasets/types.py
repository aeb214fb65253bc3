"""What a data set is: images, labels, options and the entry of the registry."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError

MIN_RESOLUTION = 8
MAX_RESOLUTION = 1024


@dataclass(frozen=True)
class LabelColumn:
    """Name one label and its values; a label is an index into ``values``."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class DatasetOptions:
    """Say how a data set is decoded.

    ``crop`` is left, top, right, bottom in pixels of the upright source image; without it the
    centred square is taken. ``max_images`` keeps the first images by name (for avatars: draws
    that many). ``title`` and ``terms`` (of use) say what a folder cannot know, and so do
    ``value_names``: a label, one of its values, and what to call that.
    """

    resolution: int = 64
    channels: int = 3
    crop: tuple[int, int, int, int] | None = None
    data_root: Path | None = None
    cache_dir: Path | None = None
    max_images: int | None = None
    title: str | None = None
    terms: str | None = None
    value_names: tuple[tuple[str, str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse options outside their range with DatasetError."""
        if not MIN_RESOLUTION <= self.resolution <= MAX_RESOLUTION:
            raise DatasetError(
                f"Resolution {self.resolution} is out of range: "
                f"choose {MIN_RESOLUTION} to {MAX_RESOLUTION} pixels."
            )
        if self.channels not in (1, 3):
            raise DatasetError(
                f"{self.channels} channels were asked for: choose 3 (colour) or 1 (grey)."
            )
        if self.max_images is not None and self.max_images < 1:
            raise DatasetError(f"max_images is {self.max_images}: it must be at least 1.")
        if self.crop is not None:
            check_crop(self.crop)


def check_crop(crop: tuple[int, int, int, int]) -> None:
    """Raise DatasetError unless the box is a square with its corner inside of the image plane."""
    left, top, right, bottom = crop
    text = ",".join(map(str, crop))
    if left < 0 or top < 0 or right <= left or bottom <= top:
        raise DatasetError(
            f"Crop {text} is no box: give left,top,right,bottom in pixels with "
            "0 <= left < right and 0 <= top < bottom, such as 0,10,89,99."
        )
    if right - left != bottom - top:
        raise DatasetError(
            f"Crop {text} is {right - left} wide and {bottom - top} high: "
            "give a square, since the images are square."
        )


@dataclass(frozen=True)
class ImageDataset:
    """Hold a decoded data set.

    images: uint8 (N, C, H, W), in memory or memory-mapped. labels: int64 (N, L) or None, column
    j holding indices into ``label_columns[j].values``. fingerprint: hash of pixels and shape.
    label_problem: why the labels that lie beside the images cannot be used, "" if they can.
    """

    name: str
    title: str
    terms: str
    images: NDArray[np.uint8]
    fingerprint: str
    labels: NDArray[np.int64] | None = None
    label_columns: tuple[LabelColumn, ...] = ()
    notes: tuple[str, ...] = ()
    label_problem: str = ""

    def __len__(self) -> int:
        """Count the images."""
        return len(self.images)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return one image, uint8 (C, H, W)."""
        image: NDArray[np.uint8] = self.images[index]
        return image

    @property
    def resolution(self) -> int:
        """Return height and width in pixels."""
        return int(self.images.shape[2])

    @property
    def channels(self) -> int:
        """Return 3 for colour, 1 for grey."""
        return int(self.images.shape[1])

    def describe(self) -> dict[str, Any]:
        """Return the facts that checkpoints and reference statistics store about the data."""
        return {
            "name": self.name,
            "title": self.title,
            "resolution": self.resolution,
            "num_images": len(self),
            "terms": self.terms,
            "fingerprint": self.fingerprint,
            "label_fingerprints": self.fingerprint_labels(),
        }

    def fingerprint_labels(self) -> dict[str, str]:
        """Hash the labels of all images, column by column; names of values make no difference."""
        if self.labels is None:
            return {}
        columns = zip(self.label_columns, self.labels.T, strict=True)
        return {
            column.name: hashlib.sha256(found.astype("<i8").tobytes()).hexdigest()[:16]
            for column, found in columns
        }


@dataclass(frozen=True)
class DatasetSource:
    """Register a kind of data set.

    argument: what follows the colon of its name ("" if nothing may). load(argument, options,
    progress) decodes or reads the cache; find(options) says whether the data is here.
    """

    key: str
    title: str
    terms: str
    size: str
    argument: str
    load: Callable[[str, DatasetOptions, bool], ImageDataset]
    find: Callable[[DatasetOptions], str]
