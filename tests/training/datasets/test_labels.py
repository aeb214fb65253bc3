"""labels.csv beside the images."""

import re
import unicodedata

import pytest

from training.datasets import LabelColumn, load_dataset
from training.datasets.label_rows import read_label_rows
from training.datasets.labels import sort_values
from training.datasets.value_names import name_values
from training.errors import DatasetError


@pytest.fixture
def folder(tmp_path, write_solid):
    path = tmp_path / "faces"
    for i, name in enumerate(("images/a.png", "images/b.png", "images/c.png")):
        write_solid(path / name, 10 * i)
    return path


@pytest.fixture
def load(folder, make_options):
    """Load the folder with the given labels.csv."""

    def load(text: str | bytes, **options):
        data = text.encode() if isinstance(text, str) else text
        (folder / "labels.csv").write_bytes(data)
        return load_dataset(f"folder:{folder}", make_options(**options), progress=False)

    return load


def test_numbers_are_sorted_as_numbers_and_texts_as_texts(load):
    dataset = load("file,age,mood\nimages/b.png,9,sad\nimages/a.png,100,glad\nimages/c.png,9,sad\n")
    assert dataset.label_columns == (
        LabelColumn("age", ("9", "100")),
        LabelColumn("mood", ("glad", "sad")),
    )
    assert dataset.labels.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert dataset.labels.dtype == "int64"
    assert dataset.notes == ()


@pytest.mark.parametrize("other", ["nan", "NaN", "inf"])
def test_values_that_are_not_finite_are_sorted_as_texts(other):
    """In whatever order they come: sets of texts have another in each process."""
    values = [*map(str, range(20)), other, "unknown"]
    expected = (*sorted(values[:-1]), "unknown")
    for shift in range(len(values)):
        turned = dict.fromkeys([*values[shift:], *values[:shift]])
        assert sort_values(turned.keys()) == expected


@pytest.mark.parametrize("prefix", ["", "./images/", "images\\"])
def test_files_may_be_named_by_path_or_bare(load, prefix):
    dataset = load("\ufefffile,age\r\n" + "".join(f"{prefix}{n}.png,{n}\r\n" for n in "cab"))
    assert dataset.labels.tolist() == [[0], [1], [2]]
    assert dataset.label_columns[0].values == ("a", "b", "c")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_letters_match_however_they_are_composed(load, folder, write_solid, form):
    """A folder copied from macOS has accents apart, which a table written elsewhere has not."""
    for place, grey in (("images/é.png", 90), ("é.png", 91)):
        write_solid(folder / unicodedata.normalize(form, place), grey)
    other = "NFD" if form == "NFC" else "NFC"
    lines = "a.png,1\nb.png,2\nc.png,3\nimages/é.png,4\né.png,5\n"
    dataset = load("file,age\n" + unicodedata.normalize(other, lines))
    ages = [int(dataset.label_columns[0].values[index]) for index in dataset.labels[:, 0]]
    greys = dataset.images[:, 0, 0, 0].tolist()
    assert dict(zip(greys, ages, strict=True)) == {0: 1, 10: 2, 20: 3, 90: 4, 91: 5}
    assert dataset.notes == ()


def test_labels_follow_the_images_that_are_left(load, folder):
    (folder / "images" / "b.png").write_bytes(b"no picture")
    dataset = load("file,age\na.png,1\nb.png,2\nc.png,3\n")
    assert dataset.labels.tolist() == [[0], [1]]
    assert dataset.label_columns[0].values == ("1", "3")
    assert dataset.notes == (
        "skipped 1 file that cannot be decoded: images/b.png (not an image of a known format)",
    )


def test_lines_of_missing_files_are_counted_and_named(load):
    dataset = load("file,age\na.png,1\nb.png,2\nc.png,3\nd.png,4\ne.png,5\n")
    assert len(dataset.notes) == 1
    assert dataset.notes[0].endswith("names 2 files not there: d.png, e.png")
    assert dataset.label_columns[0].values == ("1", "2", "3")


def test_images_without_a_line_are_labelled_unknown(load):
    dataset = load("file,age\na.png,7\nb.png,\n")
    assert dataset.label_columns[0].values == ("7", "unknown")
    assert dataset.labels.tolist() == [[0], [1], [1]]
    line, blank = dataset.notes
    assert line.startswith("1 image without a line in labels.csv in ")
    assert line.endswith("labelled 'unknown': images/c.png")
    assert blank.startswith("1 image without age in labels.csv in ")
    assert blank.endswith(": images/b.png")


def test_images_without_a_value_are_named_for_each_column(folder, load, write_solid):
    """Of 12 that lack an age ten are named, and the one without a mood by itself."""
    for number in range(12):
        write_solid(folder / f"{number:02}.png", number)
    lines = [f"{number:02}.png,,{'' if number == 7 else 'glad'}" for number in range(12)]
    lines += [f"{letter}.png,5,glad" for letter in "abc"]
    age, mood = load("file,age,mood\n" + "\n".join(lines)).notes
    names = ", ".join(f"{number:02}.png" for number in range(10))
    assert age.startswith("12 images without age in labels.csv in ")
    assert age.endswith(f": {names} and 2 more")
    assert mood.startswith("1 image without mood in ")
    assert mood.endswith(": 07.png")


@pytest.mark.parametrize(
    ("ages", "others"),
    [
        (("20", "n/a", "30"), "n/a"),
        (("20", "", "n/a"), None),  # as many numbers as others
        (("20", "", "30"), None),
        (("a", "b", "30"), None),
    ],
)
def test_values_that_are_no_numbers_among_numbers_are_named(load, ages, others):
    """Where most values are numbers, those that are not may be typos."""
    lines = [f"{name}.png,{age}" for name, age in zip("abc", ages, strict=True)]
    notes = [note for note in load("file,age\n" + "\n".join(lines)).notes if "mistakes" in note]
    if others is None:
        assert notes == []
    else:
        (note,) = notes
        assert note.startswith("most values of age in labels.csv in ")
        assert note.endswith(f"mistakes: {others}")


def test_lines_of_images_left_out_by_max_images_are_no_mistake(load):
    dataset = load("file,age\na.png,1\nb.png,2\nc.png,3\n", max_images=1)
    assert dataset.notes == ()
    assert dataset.labels.tolist() == [[0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,age\na.png,1\n", "first column .* has to be `file`.*'name'"),
        ("", "first column .* an empty file"),
        ("file\na.png\n", "no label column"),
        ("file,age,age\na.png,1,2\n", "give each its own name"),
        ("file,age\na.png,1\nb.png\n", "Line 3 .* has 1 columns"),
        ("file,age\na.png,1\na.png,2\n", "Line 3 .* a second time"),
        ("file,age\nz.png,1\n", "names none of the 3 images.*z.png"),
        (b"file,age\na.png,\xff\xfe\n", "UTF-8"),
    ],
)
def test_unusable_tables_are_noted_and_refused_where_labels_are_wanted(load, text, message):
    """Who wants no labels gets the images, as from a folder with a table of something else."""
    dataset = load(text)
    assert (len(dataset), dataset.labels, dataset.label_columns) == (3, None, ())
    (note,) = dataset.notes
    assert re.search(message, note)
    assert "labels.csv" in note
    for use in (read_label_rows, lambda found: name_values(found, [("age", "1", "one")])):
        with pytest.raises(DatasetError, match=f"^{re.escape(note)}$"):
            use(dataset)
