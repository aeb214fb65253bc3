"""Labels: vectors, rows, losses and draws, against values computed by hand."""

import math

import numpy as np
import pytest
import torch

from training.errors import ConfigError
from training.labels import NO_LABELS, ClassLabel, LabelLayout, NumberLabel, check_rows

HAIR = ClassLabel("hair", ("short", "long", "none"), (0.5, 0.3, 0.2))
AGE = NumberLabel("age", (0.0, 20.0, 100.0))
LAYOUT = LabelLayout((HAIR, AGE))
ROWS = torch.tensor([[1.0, 25.0], [2.0, 100.0]])


def test_rows_become_vectors_and_come_back():
    vectors = LAYOUT.encode(ROWS)
    assert vectors.tolist() == [[0, 1, 0, -0.5], [0, 0, 1, 1]]
    assert torch.equal(LAYOUT.decode(vectors), ROWS)
    assert (LAYOUT.vector_size, len(LAYOUT), LAYOUT.names) == (4, 2, ("hair", "age"))


def test_templates_are_mixed_between_the_two_knots_around_a_number():
    rows = torch.tensor([[0.0, 30.0], [2.0, 100.0]])
    weights = LAYOUT.weigh(LAYOUT.encode(rows))  # knots at 0, 20, ... 100
    expected = [[1, 0, 0, 0, 0.5, 0.5, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0, 1]]
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float32))
    assert LAYOUT.basis_size == 9


def test_loss_is_cross_entropy_plus_squared_difference():
    vectors = torch.tensor([[0.0, math.log(2), 0.0, 0.0], [0.0, 0.0, math.log(3), 0.5]])
    # -log(2 / 4) and -log(3 / 5); (0 + 0.5)^2 and (0.5 - 1)^2, each averaged.
    expected = (math.log(2) + math.log(5 / 3)) / 2 + 0.25
    assert LAYOUT.compute_loss(vectors, ROWS).item() == pytest.approx(expected, rel=1e-6)


def test_labels_are_drawn_by_seed_as_often_as_in_the_data():
    seeds = range(4000)
    rows = LAYOUT.draw(seeds).numpy()
    shares = np.bincount(rows[:, 0].astype(int), minlength=3) / len(rows)
    np.testing.assert_allclose(shares, HAIR.shares, atol=0.03)
    assert np.mean(rows[:, 1] < 20) == pytest.approx(0.5, abs=0.03)  # the median is 20
    assert rows[:, 1].max() <= 100
    assert rows[:, 1].min() >= 0
    np.testing.assert_array_equal(LAYOUT.draw([7, 3]).numpy(), rows[[7, 3]])
    assert NO_LABELS.draw([1, 2]).shape == (2, 0)


def test_labels_are_drawn_as_they_come_together():
    # Nobody of 100 has short hair, and three of four are 25.
    layout = LabelLayout((HAIR, AGE), ((0, 25), (1, 25), (2, 25), (1, 100)))
    rows = layout.draw(range(4000)).numpy()
    assert {tuple(row) for row in rows.tolist()} == set(layout.examples)
    assert np.mean(rows[:, 1] == 25) == pytest.approx(0.75, abs=0.03)
    np.testing.assert_array_equal(layout.draw([7, 3]).numpy(), rows[[7, 3]])
    assert layout.draw([]).shape == (0, 2)


def test_examples_survive_json():
    layout = LabelLayout((HAIR, AGE), ((0, 25.5), (1, 100)))
    examples = layout.list_examples()
    assert examples == [[0, 25.5], [1, 100]]
    assert LabelLayout.from_list(layout.to_list(), examples) == layout


@pytest.mark.parametrize("examples", [5, [5], [["x", 1]], [[0]], [[3, 25]], [[0, 101]], [[0.5, 1]]])
def test_damaged_examples_are_refused(examples):
    with pytest.raises(ConfigError):
        LabelLayout.from_list(LAYOUT.to_list(), examples)


def test_a_message_about_many_values_is_short():
    values = tuple(map(str, range(5000)))
    with pytest.raises(ConfigError, match="and 4,992 more: expected 2 to 1000") as caught:
        ClassLabel("id", values, (1 / 5000,) * 5000)
    assert len(str(caught.value)) < 250


def test_values_given_stay_and_the_others_are_drawn():
    rows = LAYOUT.complete([1, 2], {"age": 33.0})
    assert rows[:, 1].tolist() == [33.0, 33.0]
    assert torch.equal(rows[:, 0], LAYOUT.draw([1, 2])[:, 0])


def test_texts_are_read_and_written():
    assert LAYOUT.parse({"age": "40", "hair": "none"}) == {"age": 40.0, "hair": 2.0}
    assert LAYOUT.describe([1.0, 42.5]) == "hair long, age 42.5"


@pytest.mark.parametrize(
    ("value", "text"),
    [(42.5, "42.5"), (0.123456, "0.1235"), (999.96, "1000"), (1234.56, "1235"), (123449, "123449")],
)
def test_numbers_are_written_to_four_digits_or_to_the_unit(value, text):
    assert LAYOUT.find("age").format(value) == text


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({"beard": "1"}, "no label 'beard': the model's labels are hair, age"),
        ({"age": "old"}, "age is 'old': expected a number from 0 to 100"),
        ({"age": "101"}, "age is 101: expected 0 to 100"),
        ({"age": "nan"}, "age is nan: expected 0 to 100"),
        ({"hair": "blue"}, "hair is 'blue': choose one of short, long, none"),
    ],
)
def test_values_that_cannot_be_are_refused(texts, reason):
    with pytest.raises(ConfigError, match=reason):
        LAYOUT.parse(texts)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([0.0], "1 label values were given, expected 2: hair, age"),
        ([3.0, 1.0], "hair is 3: expected the number of one of its values, 0 to 2"),
        ([0.5, 1.0], "hair is 0.5"),
        ([0.0, -1.0], "age is -1: expected 0 to 100"),
    ],
)
def test_rows_that_cannot_be_are_refused(row, reason):
    with pytest.raises(ConfigError, match=reason):
        LAYOUT.check(row)
    LAYOUT.check([2.0, 0.0])


def test_a_batch_of_rows_has_a_value_per_label():
    assert check_rows(LAYOUT, ROWS) is ROWS
    for rows in (None, ROWS[:, :1], ROWS[0]):
        with pytest.raises(ConfigError, match=r"label rows of shape \(N, 2\) \(hair, age\)"):
            check_rows(LAYOUT, rows)


def test_a_layout_survives_json():
    assert LabelLayout.from_list(LAYOUT.to_list()) == LAYOUT


@pytest.mark.parametrize(
    "values",
    [
        [{"kind": "colour", "name": "a"}],
        [{"name": "a"}],
        [{"kind": "class", "name": "a", "values": ["x"], "shares": [1.0]}],
        [{"kind": "class", "name": "a", "values": ["x", "y"], "shares": [0.5, 0.1]}],
        [{"kind": "number", "name": "a", "quantiles": [1.0, 1.0]}],
        [{"kind": "number", "name": "a", "quantiles": [2.0, 1.0]}],
        [AGE.to_dict(), AGE.to_dict()],
        [1],
        3,
    ],
)
def test_damaged_layouts_are_refused(values):
    with pytest.raises(ConfigError):
        LabelLayout.from_list(values)


def test_stops_are_distinct_round_numbers_of_the_middle_of_the_data():
    age = NumberLabel("age", tuple(float(5 * index) for index in range(21)))  # evenly 0 to 100
    assert age.list_stops(3) == [5, 50, 95]
    assert age.list_stops(4) == [5, 35, 65, 95]
    long_tail = NumberLabel("income", (*[0.0] * 20, 100.0))
    assert long_tail.list_stops(3) == [0, 50, 100]  # the middle is one number
    narrow = NumberLabel("share", (0.1, 0.1001, 0.1002))
    assert len(set(narrow.list_stops(8))) == 8
    for low, high in ((0.0, 1e-300), (-1e300, 1e300)):
        stops = NumberLabel("wild", (low, high)).list_stops(5)
        assert len(stops) == 5
        assert all(low <= stop <= high for stop in stops)


def test_rounding_to_float32_is_no_reason_to_refuse_an_end():
    share = NumberLabel("share", (0.0, 0.1))
    share.check(float(np.float32(0.1)))  # 0.10000000149
    with pytest.raises(ConfigError, match=r"expected 0 to 0\.1"):
        share.check(0.1001)


@pytest.mark.parametrize(
    "labels",
    [
        [{"kind": "class", "name": "a", "values": [1, 2], "shares": [0.5, 0.5]}],
        [{"kind": "class", "name": 5, "values": ["x", "y"], "shares": [0.5, 0.5]}],
        [{"kind": "number", "name": None, "quantiles": [0, 1]}],
        [{"kind": "number", "name": "a", "quantiles": [0, 10**400]}],
        [{"kind": "number", "name": "a", "quantiles": [-1.7e308, 1.7e308]}],
    ],
)
def test_what_a_damaged_file_calls_labels_is_refused(labels):
    with pytest.raises(ConfigError):
        LabelLayout.from_list(labels)
