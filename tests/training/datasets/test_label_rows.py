"""Which labels a training learns: chosen by name, of a kind that is found out or said."""

import numpy as np
import pytest

from training.datasets import ImageDataset, LabelColumn
from training.datasets.label_rows import read_label_rows
from training.errors import DatasetError
from training.labels import ClassLabel, NumberLabel

AGES = tuple(str(age) for age in range(1, 21))
COLUMNS = (LabelColumn("gender", ("0", "1")), LabelColumn("age", AGES), LabelColumn("one", ("x",)))
LABELS = np.array([[0, 0, 0], [1, 19, 0], [1, 9, 0], [1, 19, 0]])


def make_dataset(labels=LABELS, columns=COLUMNS):
    images = np.zeros((len(labels), 1, 8, 8), np.uint8)
    return ImageDataset("faces", "Faces", "any", images, "f", labels, columns)


def test_kinds_are_found_out():
    found = read_label_rows(make_dataset(), "age,gender")
    age, gender = found.layout.labels
    assert gender == ClassLabel("gender", ("0", "1"), (0.25, 0.75))
    assert isinstance(age, NumberLabel)
    assert (age.low, age.high) == (1.0, 20.0)
    assert age.quantiles[10] == 15.0  # of 1, 10, 20 and 20: the median
    assert found.rows.tolist() == [[1, 0], [20, 1], [10, 1], [20, 1]]


def test_kinds_can_be_said():
    found = read_label_rows(make_dataset(), "gender:number, age:class")
    gender, age = found.layout.labels
    assert isinstance(gender, NumberLabel)
    # Of the ages in between there are no images.
    assert age == ClassLabel("age", ("1", "10", "20"), (0.25, 0.25, 0.5))
    assert found.rows.tolist() == [[0, 0], [1, 2], [1, 1], [1, 2]]


def test_rows_of_real_images_stay_with_the_labels():
    found = read_label_rows(make_dataset(), "gender,age")
    assert found.layout.examples == ((0, 1), (1, 20), (1, 10), (1, 20))


def test_of_many_images_some_rows_stay():
    labels = np.tile(LABELS, (1000, 1))
    found = read_label_rows(make_dataset(labels), "gender,age")
    assert len(found.layout.examples) == 2048
    assert set(found.layout.examples) == {(0, 1), (1, 20), (1, 10)}


def test_classes_that_nobody_has_are_not_learned():
    dataset = make_dataset(np.array([[0, 0, 0], [0, 19, 0]]))
    with pytest.raises(DatasetError, match="have the same gender"):
        read_label_rows(dataset, "gender")


def test_without_a_choice_all_are_learned():
    assert read_label_rows(make_dataset(LABELS[:, :2], COLUMNS[:2])).layout.names == (
        "gender",
        "age",
    )


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ("beard", "names 'beard', which faces lacks: choose any of gender, age, one"),
        ("one", "have the same one"),
        ("one:number", "calls one a number, and faces has the value 'x'"),
    ],
)
def test_what_cannot_be_learned_is_refused(choice, reason):
    with pytest.raises(DatasetError, match=reason):
        read_label_rows(make_dataset(), choice)


@pytest.mark.parametrize("other", ["n/a", "nan", "-inf", "2O"])
def test_the_value_that_is_no_number_is_named(other):
    """Not the first one of the column, which is one."""
    columns = (LabelColumn("age", ("19", other, "20")),)
    dataset = make_dataset(np.array([[0], [1], [2]]), columns)
    with pytest.raises(DatasetError, match=f"has the value '{other}': correct it or leave :number"):
        read_label_rows(dataset, "age:number")


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (LabelColumn("hair, colour", ("a", "b")), "a label called 'hair, colour': take commas"),
        (LabelColumn("a=b", ("a", "b")), "a label called 'a=b'"),
        (LabelColumn("who", ("Smith, J", "b")), "has the value 'Smith, J': take the comma out"),
    ],
)
def test_what_nobody_could_ask_for_is_refused(column, reason):
    with pytest.raises(DatasetError, match=reason):
        read_label_rows(make_dataset(LABELS[:, :1], (column,)))


def test_images_without_a_value_are_counted():
    column = LabelColumn("gender", ("0", "1", "unknown"))
    dataset = make_dataset(np.array([[0], [2], [1], [2]]), (column,))
    with pytest.raises(DatasetError, match="2 of 4 images of faces have no value for gender"):
        read_label_rows(dataset)


def test_a_data_set_without_labels_says_so():
    dataset = ImageDataset("faces", "Faces", "any", np.zeros((1, 1, 8, 8), np.uint8), "f")
    with pytest.raises(DatasetError, match="faces has no labels"):
        read_label_rows(dataset)
