"""Degraded images: the same in any batches, still showing what they showed."""

import numpy as np
import pytest

from training.metrics.degrade import degrade_images


@pytest.fixture
def images():
    """Return 40 images of 32 x 32: a bright half, left or right, in three colours."""
    images = np.full((40, 3, 32, 32), 60, np.uint8)
    images[::2, :, :, :16] = np.array([180, 150, 120], np.uint8)[:, None, None]
    images[1::2, :, :, 16:] = 200
    return images


def test_batches_do_not_matter(images):
    whole = degrade_images(images)
    parts = [degrade_images(images[:7]), degrade_images(images[7:], first=7)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert whole.shape == images.shape
    assert whole.dtype == np.uint8


def test_every_image_changes_and_each_in_its_own_way(images):
    changes = degrade_images(images).astype(float) - images
    deviations = np.sqrt(np.square(changes).mean(axis=(1, 2, 3)))
    assert (deviations > 0.3).all()
    assert deviations.max() < 60
    assert len(np.unique(deviations.round(3))) == len(images)


def test_what_an_image_shows_stays(images):
    degraded = degrade_images(images).astype(float)
    left = degraded[:, :, :, :16].mean(axis=(1, 2, 3))
    right = degraded[:, :, :, 16:].mean(axis=(1, 2, 3))
    assert ((left > right) == (np.arange(len(images)) % 2 == 0)).all()


def test_grey_images_and_none_at_all(images):
    assert degrade_images(images[:3, :1]).shape == (3, 1, 32, 32)
    assert degrade_images(images[:0]).shape == (0, 3, 32, 32)
