"""Diversity within a label against distances worked out by hand."""

import numpy as np
import pytest

from training.labels import ClassLabel, LabelLayout, NumberLabel
from training.metrics.label_diversity import measure_diversity

LAYOUT = LabelLayout((ClassLabel("side", ("left", "right"), (0.5, 0.5)),))


def place(num_images, spread, at):
    """Return features (N, 1), half of them on either side of a place, `spread` apart."""
    return np.array([[at + spread * (index % 2)] for index in range(num_images)], np.float32)


def test_each_class_is_compared_with_the_real_images_of_its_own():
    """Of 10 images in two places, 25 of 45 pairs are apart: the ratio is that of the distances."""
    rows = np.repeat([[0.0], [1.0]], 10, axis=0).astype(np.float32)
    real = np.concatenate([place(10, 2.0, at=0), place(10, 4.0, at=900)])
    made = np.concatenate([place(10, 1.0, at=0), place(10, 4.0, at=-700)])
    (found,) = measure_diversity(LAYOUT, made, rows, real, rows)
    assert found.groups == ("left", "right")
    assert found.ratios == pytest.approx([0.5, 1.0])
    assert found.describe() == pytest.approx(
        {"mean": 0.75, "lowest": 0.5, "lowest_group": "left"}, nan_ok=False
    )


def test_one_image_for_each_class_has_none():
    rows = np.repeat([[0.0], [1.0]], 20, axis=0).astype(np.float32)
    real = place(40, 3.0, at=0)
    made = np.where(rows == 0, 5.0, 6.0).astype(np.float32)
    (found,) = measure_diversity(LAYOUT, made, rows, real, rows)
    assert found.ratios == (0.0, 0.0)


def test_numbers_are_compared_in_quarters_of_the_real_images():
    layout = LabelLayout((NumberLabel("age", (0.0, 100.0)),))
    ages = np.repeat(np.float32([5, 35, 65, 95]), 12)[:, None]  # quarters end at 27.5, 50, 72.5
    real = place(48, 2.0, at=0)
    made = place(48, 2.0, at=0) * np.where(ages > 60, 3, 1).astype(np.float32)
    (found,) = measure_diversity(layout, made, ages, real, ages)
    assert found.groups == ("5 to 27.5", "27.5 to 50", "50 to 72.5", "72.5 to 95")
    assert found.ratios == pytest.approx([1, 1, 3, 3])


def test_groups_of_few_images_have_no_ratio():
    rows = np.array([[0.0]] * 30 + [[1.0]] * 3, np.float32)
    features = place(33, 1.0, at=0)
    (found,) = measure_diversity(LAYOUT, features, rows, features, rows)
    assert found.ratios[0] == 1.0
    assert np.isnan(found.ratios[1])
    assert found.lowest == ("left", 1.0)
    (none,) = measure_diversity(LAYOUT, features[30:], rows[30:], features, rows)
    assert none.describe() is None
