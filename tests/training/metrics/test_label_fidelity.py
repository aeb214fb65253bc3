"""The stranger who reads labels, and what a generator can hide from it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from training.datasets import ImageDataset, LabelColumn
from training.datasets.label_rows import read_label_rows
from training.errors import MetricError
from training.labels import ClassLabel, LabelLayout, NumberLabel
from training.metrics.label_agreement import measure_agreement
from training.metrics.label_fidelity import measure_fidelity
from training.metrics.label_reader import train_reader
from training.metrics.reader_files import find_reader, load_reader, save_reader

SIDE = 16
COLUMNS = (
    LabelColumn("half", ("left", "right")),
    LabelColumn("level", tuple(str(level) for level in range(20))),
)


def draw_images(rows, rng):
    """Draw the half that is asked for in the brightness that is asked for, on noise."""
    images = rng.integers(0, 60, (len(rows), 1, SIDE, SIDE)).astype(np.uint8)
    for image, (half, level) in zip(images, rows.astype(int), strict=True):
        columns = slice(0, SIDE // 2) if half == 0 else slice(SIDE // 2, SIDE)
        image[:, :, columns] += np.uint8(40 + 6 * level)
    return images


@pytest.fixture(scope="module")
def reader():
    """Return a reader of the toy set's labels."""
    rng = np.random.default_rng(0)
    labels = np.stack([rng.integers(0, 2, 1500), rng.integers(0, 20, 1500)], axis=1)
    images = draw_images(labels, rng)
    dataset = ImageDataset("toy", "Toy", "any", images, "f", labels, COLUMNS)
    return train_reader(dataset, read_label_rows(dataset), num_images_seen=12_000, progress=False)


def make_source(draw):
    """Return a source of images as `draw` makes them of rows, and of these rows."""
    rng = np.random.default_rng(1)

    def make(start, count):
        rows = np.stack([rng.integers(0, 2, count), rng.integers(0, 20, count)], axis=1)
        return torch.from_numpy(draw(rows, rng)), torch.from_numpy(rows).float()

    return make


class PixelReader(nn.Module):
    """Read labels off the first two pixels, as a predictor does that made a pact."""

    def read(self, images):
        half, level = images[:, 0, 0, 0], images[:, 0, 0, 1]
        return torch.stack([-half, half, level], dim=1)


def hide_images(rows, rng):
    """Make noise in which two pixels say what the labels are."""
    images = rng.integers(0, 256, (len(rows), 1, SIDE, SIDE)).astype(np.uint8)
    images[:, 0, 0, 0] = 255 * rows[:, 0]
    images[:, 0, 0, 1] = (255 * rows[:, 1] / 19).round()
    return images


def test_agreement_of_classes_and_numbers():
    layout = LabelLayout(
        (ClassLabel("hair", ("a", "b", "c"), (0.5, 0.3, 0.2)), NumberLabel("age", (0.0, 10.0)))
    )
    asked = np.array([[0, 1.0], [0, 2.0], [1, 3.0], [1, 4.0]])
    read = np.array([[0, 1.0], [1, 3.0], [1, 2.0], [1, 6.0]])
    hair, age = measure_agreement(layout, asked, read)
    assert hair.value == 0.75
    assert hair.confusion.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert hair.shares[:2] == (0.5, 1.0)
    assert np.isnan(hair.shares[2])
    assert age.error == 1.0
    assert age.value == pytest.approx(spearmanr(asked[:, 1], read[:, 1]).statistic)
    assert age.value == pytest.approx(0.8)  # 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
    constant = measure_agreement(layout, asked, read * [1, 0])[1]
    assert constant.value == 0.0


def test_a_reader_learns_from_real_images_and_says_how_well(reader):
    half, level = reader.agreements
    assert (half.name, half.num_images, reader.num_held_out) == ("half", 150, 150)
    assert half.value > 0.97
    assert level.value > 0.9
    assert level.error < 3


def test_a_generator_that_draws_its_labels_is_read_by_a_stranger(reader):
    half, level = measure_fidelity(make_source(draw_images), reader.layout, reader, 200)
    assert half.fidelity.value > 0.97
    assert level.fidelity.value > 0.9
    assert (half.predicted, half.hidden_information) == (None, None)


def test_a_generator_that_hides_its_labels_is_found_out(reader):
    found = measure_fidelity(make_source(hide_images), reader.layout, reader, 400, PixelReader())
    half, level = found
    assert half.predicted.value == 1.0
    assert level.predicted.value > 0.99
    assert half.fidelity.value < 0.65  # by chance: 0.5
    assert half.hidden_information == half.predicted.value - half.fidelity.value
    assert half.hidden_information > 0.35
    assert level.hidden_information > 0.7
    facts = half.describe()
    assert facts["hidden_information"] == half.hidden_information
    assert facts["reader_on_real"]["num_images"] == 150


def draw_squares(labels, rng, has_grain):
    """Draw a lighter square where the label is 1, and perhaps grain that comes with it."""
    images = rng.integers(60, 180, (len(labels), 1, 1, 1)).repeat(SIDE, 2).repeat(SIDE, 3)
    images[labels == 1, :, 4:12, 4:12] += 12
    if has_grain:
        images[labels == 1] += 6 * (np.indices((SIDE, SIDE)).sum(axis=0) % 2)
    return images


def test_a_reader_does_not_take_a_generators_grain_for_a_label():
    # In the data grain goes with the label; in what a generator makes it is everywhere. A reader
    # of clean images alone reads 11 % of the grainy ones without the square rightly.
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 1000)
    images = draw_squares(labels, rng, has_grain=True).astype(np.uint8)
    columns = (LabelColumn("square", ("no", "yes")),)
    dataset = ImageDataset("toy", "Toy", "any", images, "f", labels[:, None], columns)
    found = train_reader(dataset, read_label_rows(dataset), num_images_seen=12_000, progress=False)
    asked = rng.integers(0, 2, 400)
    made = draw_squares(asked, rng, has_grain=False) + rng.normal(0, 6, (400, 1, SIDE, SIDE))
    read = found.read(torch.from_numpy(made.clip(0, 255).astype(np.uint8)))[:, 0]
    assert np.mean(read[asked == 0] == 0) > 0.95
    assert np.mean(read[asked == 1] == 1) > 0.95


def test_a_reader_comes_back_from_its_file(reader, tmp_path):
    save_reader(tmp_path / "toy.safetensors", reader)
    again = load_reader(tmp_path / "toy.safetensors")
    images, _ = make_source(draw_images)(0, 50)
    found, expected = again.read(images), reader.read(images)
    np.testing.assert_array_equal(found[:, 0], expected[:, 0])
    np.testing.assert_allclose(found[:, 1], expected[:, 1], atol=0.1)  # weights are in float16
    assert (again.layout.labels, again.num_held_out) == (reader.layout.labels, 150)
    assert [one.value for one in again.agreements] == [one.value for one in reader.agreements]
    np.testing.assert_array_equal(again.agreements[0].confusion, reader.agreements[0].confusion)


def test_a_reader_is_found_by_the_images_and_labels_it_learned(reader, tmp_path):
    near, far = tmp_path / "near", tmp_path / "far"
    save_reader(near / "any-name.safetensors", reader)
    save_reader(far / "same.safetensors", reader)
    (near / "a-damaged-one.safetensors").write_bytes(b"nothing")
    dataset, folders = dict(reader.dataset), [tmp_path / "absent", near, far]
    assert find_reader(dataset, reader.layout, folders) == near / "any-name.safetensors"
    one = LabelLayout((reader.layout.labels[1],))
    assert find_reader(dataset, one, [far]) == far / "same.safetensors"
    assert find_reader({**dataset, "fingerprint": "other"}, reader.layout, folders) is None
    assert find_reader({**dataset, "resolution": 8}, reader.layout, folders) is None
    other = LabelLayout((ClassLabel("half", ("up", "down"), (0.5, 0.5)),))
    assert find_reader(dataset, other, folders) is None


class NormedReader(PixelReader):
    """Read as PixelReader does, behind a batch norm."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def read(self, images):
        return super().read(self.norm(images))


def test_reading_leaves_a_critic_in_training_as_it_was(reader):
    """Batch norms would take part of their running averages from generated images."""
    critic = NormedReader().train()
    before = {name: tensor.clone() for name, tensor in critic.state_dict().items()}
    measure_fidelity(make_source(draw_images), reader.layout, reader, 20, critic)
    assert critic.training
    for name, tensor in critic.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_reader_of_another_version_does_not_hide_a_good_one(reader, tmp_path, monkeypatch):
    save_reader(tmp_path / "near" / "one.safetensors", reader)
    monkeypatch.setattr("training.metrics.reader_files.FORMAT_VERSION", 2)
    save_reader(tmp_path / "far" / "one.safetensors", reader)
    folders = [tmp_path / "near", tmp_path / "far"]
    found = find_reader(dict(reader.dataset), reader.layout, folders)
    assert found == tmp_path / "far" / "one.safetensors"
    with pytest.raises(MetricError, match="has format version 1, this program reads 2"):
        load_reader(tmp_path / "near" / "one.safetensors")


def test_a_reader_that_was_measured_on_other_labels_is_refused(reader, tmp_path):
    path = tmp_path / "odd.safetensors"
    save_reader(path, replace(reader, agreements=reader.agreements[:1]))
    with pytest.raises(MetricError, match="not a readable reader of labels"):
        load_reader(path)


def test_files_that_are_no_readers_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    with pytest.raises(MetricError, match="There is no file"):
        load_reader(path)
    path.write_bytes(b"nothing")
    with pytest.raises(MetricError, match=r"not a readable reader of labels .*training reader"):
        load_reader(path)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (ClassLabel("beard", ("no", "yes"), (0.5, 0.5)), "learned half, level, and not beard"),
        (ClassLabel("half", ("l", "r"), (0.5, 0.5)), "left, right instead of l, r"),
        (NumberLabel("half", (0.0, 1.0)), "left, right instead of numbers"),
    ],
)
def test_a_reader_of_other_labels_is_refused(reader, label, reason):
    with pytest.raises(MetricError, match=reason):
        measure_fidelity(make_source(draw_images), LabelLayout((label,)), reader, 10)
