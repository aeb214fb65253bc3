"""Read labels.csv: one line for each image, its first column naming the file."""

import csv
import io
import math
import unicodedata
from collections.abc import Set
from dataclasses import dataclass
from pathlib import PurePosixPath

from training.datasets.notes import count_things, list_names
from training.datasets.types import LabelColumn
from training.errors import DatasetError

LABELS_FILE = "labels.csv"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class LabelTable:
    """Hold labels.csv: the names of its label columns and the texts for each file.

    place: "labels.csv in faces.zip", for messages. folder: where in the data set the table lies.
    """

    place: str
    folder: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]


def parse_labels(data: bytes, name: str, source: str) -> LabelTable:
    """Parse the bytes of labels.csv (UTF-8); raise DatasetError naming the line that is wrong."""
    place = f"{name} in {source}"
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{place} cannot be read ({error}): save it as comma-separated text in UTF-8."
        ) from error
    header = [cell.strip() for cell in lines[0]] if lines else []
    _check_header(header, place)
    rows: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) != len(header):
            raise DatasetError(
                f"Line {number} of {place} has {len(line)} columns where the first line has "
                f"{len(header)}: give every line the same columns."
            )
        file, *values = (cell.strip() for cell in line)
        file = file.replace("\\", "/").removeprefix("./")
        if file in rows:
            raise DatasetError(
                f"Line {number} of {place} names {file} a second time: keep one line per file."
            )
        rows[file] = tuple(value or UNKNOWN for value in values)
    folder = PurePosixPath(name).parent.as_posix()
    return LabelTable(place, "" if folder == "." else f"{folder}/", tuple(header[1:]), rows)


def _check_header(header: list[str], place: str) -> None:
    if not header or header[0].lower() != "file":
        found = f"{header[0]!r}" if header else "an empty file"
        raise DatasetError(
            f"The first column of {place} has to be `file`, naming the images; found {found}. "
            "A first line such as `file,age,gender` is expected."
        )
    if len(header) == 1:
        raise DatasetError(f"{place} has no label column: add one after `file`, or remove it.")
    if len(set(header)) != len(header) or not all(header):
        raise DatasetError(
            f"The columns of {place} are {', '.join(header)}: give each its own name."
        )


def build_columns(
    table: LabelTable, names: tuple[str, ...], known: frozenset[str]
) -> tuple[tuple[LabelColumn, ...], tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """Match the table with the images.

    names: the usable images; known: all files there. Returns the columns, a row of texts for each
    image ("unknown" where the table has none) and notes about what does not match. Raises
    DatasetError if the table names none of the images.
    """
    row_of, missing = _match_rows(table, known)
    unknown = (UNKNOWN,) * len(table.columns)
    rows = tuple(row_of.get(name, unknown) for name in names)
    unlabelled = [name for name in names if name not in row_of]
    if len(unlabelled) == len(names):
        example = next(iter(table.rows), "nothing")
        raise DatasetError(
            f"{table.place} names none of the {len(names)} images: it names {example}, and the "
            f"images are called {names[0]}; write names relative to the folder of {LABELS_FILE}."
        )
    columns = tuple(
        LabelColumn(name, sort_values({row[i] for row in rows}))
        for i, name in enumerate(table.columns)
    )
    notes = _describe_mismatch(table, missing, unlabelled)
    notes += _describe_blanks(table, row_of, names)
    return columns, rows, notes + _describe_near_numbers(table, columns)


def _match_rows(
    table: LabelTable, known: frozenset[str]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Map names of files to rows, and list the table's names of which there is no file.

    By path from the table's folder, else from the top, else by bare name where only one file has
    it; letters count as the same however they are composed, as macOS splits é into e and an accent.
    """
    by_path: dict[str, str] = {}
    by_base: dict[str, list[str]] = {}
    for name in sorted(known):
        by_path.setdefault(_compose(name), name)
        by_base.setdefault(PurePosixPath(_compose(name)).name, []).append(name)
    matched: dict[str, tuple[str, ...]] = {}
    missing = []
    for file, row in table.rows.items():
        same_base = by_base.get(_compose(file), [])
        paths = (table.folder + file, file)
        found = [path for path in paths if path in known]
        found += [by_path[_compose(path)] for path in paths if _compose(path) in by_path]
        if found:
            matched[found[0]] = row
        elif len(same_base) == 1:
            matched.setdefault(same_base[0], row)
        else:
            missing.append(file)
    return matched, missing


def _compose(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _describe_mismatch(
    table: LabelTable, missing: list[str], unlabelled: list[str]
) -> tuple[str, ...]:
    notes = []
    if missing:
        files = count_things(len(missing), "file")
        notes.append(f"{table.place} names {files} not there: {list_names(missing)}")
    if unlabelled:
        images = count_things(len(unlabelled), "image")
        notes.append(
            f"{images} without a line in {table.place}, labelled {UNKNOWN!r}: "
            f"{list_names(unlabelled)}"
        )
    return tuple(notes)


def _describe_blanks(
    table: LabelTable, row_of: dict[str, tuple[str, ...]], names: tuple[str, ...]
) -> tuple[str, ...]:
    """Name, column by column, the images whose line in the table has no value."""
    notes = []
    for index, column in enumerate(table.columns):
        blank = [name for name in names if name in row_of and row_of[name][index] == UNKNOWN]
        if blank:
            images = count_things(len(blank), "image")
            notes.append(f"{images} without {column} in {table.place}: {list_names(blank)}")
    return tuple(notes)


def _describe_near_numbers(table: LabelTable, columns: tuple[LabelColumn, ...]) -> tuple[str, ...]:
    """Name the values that keep a column from being one of numbers, where most are some."""
    notes = []
    for column in columns:
        others = find_other_than_numbers(column)
        if 0 < 2 * len(others) < len(set(column.values) - {UNKNOWN}):
            notes.append(
                f"most values of {column.name} in {table.place} are numbers, so these may be "
                f"mistakes: {list_names(others)}"
            )
    return tuple(notes)


def find_other_than_numbers(column: LabelColumn) -> tuple[str, ...]:
    """Find the values of a column that are no finite numbers; "unknown" is not counted."""
    return tuple(v for v in column.values if v != UNKNOWN and not _is_number(v))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def sort_values(values: Set[str]) -> tuple[str, ...]:
    """Sort label values: by number if all are finite, else as text; "unknown" comes last."""
    known = values - {UNKNOWN}
    if all(map(_is_number, known)):  # "nan" would have no place of its own
        ordered = sorted(known, key=lambda text: (float(text), text))
    else:
        ordered = sorted(known)
    return (*ordered, *sorted(values & {UNKNOWN}))
