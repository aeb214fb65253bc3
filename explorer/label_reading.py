"""What an independent reader sees in generated images, beside what was asked for."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.library import CheckpointLibrary
from training.checkpoint import CheckpointHeader
from training.errors import ConfigError
from training.labels import ClassLabel, LabelLayout

if TYPE_CHECKING:
    from training.metrics.label_reader import LabelReader

MAX_READERS = 4


@dataclass(frozen=True)
class Reading:
    """Hold one label of one image: what was asked for and what was read.

    ``is_right`` is None for numbers, which are near or far and not right or wrong.
    """

    name: str
    asked: str
    read: str
    is_right: bool | None


class ReaderShelf:
    """Find, load and keep the readers of the models of a library; safe from several threads."""

    def __init__(self, library: CheckpointLibrary) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._readers: OrderedDict[tuple[Path, int], LabelReader] = OrderedDict()

    def get(self, model: str) -> "LabelReader":
        """Return the reader of a model's labels; raises ConfigError if there is none."""
        reader = self.find(model)
        if reader is not None:
            return reader
        header = self._get_header(model)
        if not len(header.model.labels):
            raise ConfigError(f"{model} was trained without labels: there is none to read.")
        from training.metrics.reader_files import READER_FOLDER, describe_reader_command

        command = describe_reader_command(header, self._library.shown / READER_FOLDER)
        raise ConfigError(
            f"No reader of {header.dataset.get('title', 'these images')} is here: train one with "
            f"{command}."
        )

    def find(self, model: str) -> "LabelReader | None":
        """Return the reader of a model's labels, None if there is none.

        It is found by the images that the model learned, and loaded again when its file changes.
        """
        found = self._locate(model)
        if found is None:
            return None
        with self._lock:
            if found not in self._readers:
                # Here, since a page without such models does not need it.
                from training.metrics.reader_files import load_reader

                self._readers[found] = load_reader(found[0])
            self._readers.move_to_end(found)
            while len(self._readers) > MAX_READERS:
                self._readers.popitem(last=False)
            return self._readers[found]

    def identify(self, model: str) -> str:
        """Return a text that changes with the reader of a model's labels, "" if there is none."""
        found = self._locate(model)
        return "" if found is None else str(found)

    def _locate(self, model: str) -> tuple[Path, int] | None:
        """Return the file of a model's reader and when it was changed."""
        from training.metrics.reader_files import find_reader, list_reader_folders

        header = self._get_header(model)
        if not len(header.model.labels):
            return None
        folders = list_reader_folders(self._library.folder)
        path = find_reader(header.dataset, header.model.labels, folders)
        return None if path is None else (path, path.stat().st_mtime_ns)

    def read(
        self, model: str, images: np.ndarray, rows: Sequence[Sequence[float]]
    ) -> list[list[Reading]]:
        """Read images, uint8 (N, H, W, C), that were made of label rows: a list for each image."""
        layout = self._get_header(model).model.labels
        found = read_rows(self.get(model), layout, images)
        return [compare_rows(layout, row, read) for row, read in zip(rows, found, strict=True)]

    def _get_header(self, model: str) -> CheckpointHeader:
        header = self._library.get(model).header
        assert header is not None  # a damaged file has been refused
        return header


def read_rows(reader: "LabelReader", layout: LabelLayout, images: np.ndarray) -> np.ndarray:
    """Read rows (N, L) of a layout off images, uint8 (N, H, W, C)."""
    columns = [reader.layout.names.index(name) for name in layout.names]
    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    with torch.inference_mode():
        return reader.read(pixels)[:, columns]


def compare_rows(
    layout: LabelLayout, asked: Sequence[float], read: Sequence[float]
) -> list[Reading]:
    """Put what was asked for beside what was read, label by label."""
    return [
        Reading(
            label.name,
            label.format(wanted),
            label.format(found),
            int(wanted) == int(found) if isinstance(label, ClassLabel) else None,
        )
        for label, wanted, found in zip(layout, asked, read, strict=True)
    ]
