"""The labels that a training asks a data set for: which columns, of which kind, and their rows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.datasets.labels import UNKNOWN, find_other_than_numbers
from training.datasets.types import ImageDataset, LabelColumn
from training.errors import DatasetError
from training.labels import ClassLabel, Label, LabelLayout, NumberLabel
from training.subset import choose_subset

# A column of numbers with more values than this is a number by itself, not a class.
MAX_NUMBER_CLASSES = 12
NUM_QUANTILES = 21
# Rows of real images that a layout keeps, fewer of many labels: they are part of a checkpoint.
MAX_EXAMPLES, MAX_EXAMPLE_VALUES = 2048, 40_000


@dataclass(frozen=True, eq=False)
class LabelRows:
    """Hold the labels to learn and a row of values per image, float32 (N, L)."""

    layout: LabelLayout
    rows: NDArray[np.float32]


def read_label_rows(dataset: ImageDataset, choice: str = "") -> LabelRows:
    """Read the labels of a data set that are chosen, such as "gender,age:number"; "" is all.

    A kind, class or number, is found out by itself where it is not given. Raises DatasetError
    for names or kinds that are not there, where images have no value, and for labels that cannot
    be used.
    """
    if dataset.label_problem:
        raise DatasetError(dataset.label_problem)
    if dataset.labels is None or not dataset.label_columns:
        raise DatasetError(
            f"{dataset.name} has no labels: choose a data set that has some (a folder needs a "
            "labels.csv), or a model that takes none."
        )
    wanted = parse_choice(choice) or [(column.name, "") for column in dataset.label_columns]
    known = {column.name: index for index, column in enumerate(dataset.label_columns)}
    labels: list[Label] = []
    columns: list[NDArray[np.float32]] = []
    for name, kind in wanted:
        if name not in known:
            raise DatasetError(
                f"--labels names {name!r}, which {dataset.name} lacks: choose any of "
                f"{', '.join(known)}."
            )
        index = known[name]
        column, found = dataset.label_columns[index], dataset.labels[:, index]
        _check_known(dataset, column, found)
        _check_spelling(dataset, column)
        label, values = _READERS[kind or _find_kind(column)](dataset, column, found)
        labels.append(label)
        columns.append(values)
    rows = np.stack(columns, axis=1)
    kept = choose_subset(len(rows), min(MAX_EXAMPLES, MAX_EXAMPLE_VALUES // len(labels)))
    examples = tuple(tuple(row) for row in rows[kept].tolist())
    return LabelRows(LabelLayout(tuple(labels), examples), rows)


def parse_choice(choice: str) -> list[tuple[str, str]]:
    """Split "gender,age:number" into names and kinds; a kind that is not given is ""."""
    found = []
    for part in filter(None, (part.strip() for part in choice.split(","))):
        name, colon, kind = part.rpartition(":")
        found.append((name, kind) if colon and kind in _READERS else (part, ""))
    return found


def _check_known(dataset: ImageDataset, column: LabelColumn, found: NDArray[np.int64]) -> None:
    if UNKNOWN not in column.values:
        return
    count = int((found == column.values.index(UNKNOWN)).sum())
    raise DatasetError(
        f"{count:,} of {len(dataset):,} images of {dataset.name} have no value for {column.name}: "
        "give them one, take them out, or choose other labels with --labels."
    )


def _check_spelling(dataset: ImageDataset, column: LabelColumn) -> None:
    """Refuse what nobody could ask for: NAME=VALUE,NAME=VALUE is how labels are written."""
    if any(mark in column.name for mark in ",="):
        raise DatasetError(
            f"{dataset.name} has a label called {column.name!r}: take commas and equals signs out "
            "of its name."
        )
    for value in column.values:
        if "," in value:
            raise DatasetError(
                f"The label {column.name} of {dataset.name} has the value {value!r}: take the comma"
                " out, since commas separate labels."
            )


def _find_kind(column: LabelColumn) -> str:
    has_many = len(column.values) > MAX_NUMBER_CLASSES
    return "number" if has_many and not find_other_than_numbers(column) else "class"


def _read_class(
    dataset: ImageDataset, column: LabelColumn, found: NDArray[np.int64]
) -> tuple[Label, NDArray[np.float32]]:
    present, indices = np.unique(found, return_inverse=True)
    # Of a value without images there is nothing to learn.
    values = tuple(column.values[index] for index in present)
    shares = tuple(float(count) / len(found) for count in np.bincount(indices))
    if len(values) < 2:
        raise DatasetError(
            f"All images of {dataset.name} have the same {column.name}: there is nothing to learn; "
            "choose other labels with --labels."
        )
    return ClassLabel(column.name, values, shares), indices.reshape(-1).astype(np.float32)


def _read_number(
    dataset: ImageDataset, column: LabelColumn, found: NDArray[np.int64]
) -> tuple[Label, NDArray[np.float32]]:
    others = find_other_than_numbers(column)
    if others:
        raise DatasetError(
            f"--labels calls {column.name} a number, and {dataset.name} has the value "
            f"{others[0]!r}: correct it or leave :number out."
        )
    values = np.array([float(value) for value in column.values], dtype=np.float32)[found]
    quantiles = np.quantile(values, np.linspace(0, 1, NUM_QUANTILES))
    if quantiles[0] == quantiles[-1]:
        raise DatasetError(f"All images of {dataset.name} have the same {column.name}.")
    return NumberLabel(column.name, tuple(map(float, quantiles))), values


_Reader = Callable[
    [ImageDataset, LabelColumn, NDArray[np.int64]], tuple[Label, NDArray[np.float32]]
]
_READERS: dict[str, _Reader] = {"class": _read_class, "number": _read_number}
