"""Names for a label's values, where a data set has codes such as 0 and 1."""

import dataclasses
from collections.abc import Iterable

from training.datasets.types import ImageDataset, LabelColumn
from training.errors import DatasetError

# The label, a value as the data set has it, and what it is to be called.
ValueName = tuple[str, str, str]


def parse_value_names(text: str) -> tuple[ValueName, ...]:
    """Parse "gender:0=male,1=female"; raises DatasetError that shows the form."""
    label, _, pairs = text.partition(":")
    parts = [[side.strip() for side in pair.split("=")] for pair in pairs.split(",")]
    if not label.strip() or any(len(part) != 2 or not all(part) for part in parts):
        raise DatasetError(f"{text!r} names no values: write them like gender:0=male,1=female.")
    return tuple((label.strip(), value, name) for value, name in parts)


def name_values(dataset: ImageDataset, names: Iterable[ValueName]) -> ImageDataset:
    """Return a data set whose labels' values are called by other names, in their old order.

    Raises DatasetError for labels and values that it does not have, and for names that are not of
    one value alone.
    """
    names = tuple(names)
    if names and dataset.label_problem:
        raise DatasetError(dataset.label_problem)
    chosen: dict[str, dict[str, str]] = {}
    for label, value, name in names:
        chosen.setdefault(label, {})[value] = name
    known = [column.name for column in dataset.label_columns]
    for label in chosen:
        if label not in known:
            raise DatasetError(
                f"{dataset.name} has no label {label!r} whose values could be named: "
                f"its labels are {', '.join(known) or 'none'}."
            )
    columns = (_rename(column, chosen.get(column.name, {})) for column in dataset.label_columns)
    return dataclasses.replace(dataset, label_columns=tuple(columns))


def _rename(column: LabelColumn, names: dict[str, str]) -> LabelColumn:
    for value in names:
        if value not in column.values:
            raise DatasetError(
                f"{column.name} has no value {value!r} to be named: it has "
                f"{', '.join(column.values)}."
            )
    values = tuple(names.get(value, value) for value in column.values)
    if len(set(values)) < len(values):
        raise DatasetError(
            f"The values of {column.name} would be called {', '.join(values)}: give each a name "
            "of its own."
        )
    return LabelColumn(column.name, values)
