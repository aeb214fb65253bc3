"""Batches of real images: order, mirroring, epochs."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from training import batches as batches_module
from training.batches import ImageBatches, load_resident
from training.datasets import ImageDataset
from training.errors import DatasetError
from training.processes import Processes


def make_dataset(count):
    """Image i has i in its left column and 255 - i in its right one."""
    images = np.zeros((count, 1, 2, 2), np.uint8)
    images[:, 0, :, 0] = np.arange(count)[:, None]
    images[:, 0, :, 1] = 255 - np.arange(count)[:, None]
    return ImageDataset("folder:numbers", "Numbers", "CC0", images, "f")


def read_numbers(images):
    """Return the number of each image and whether it is mirrored."""
    pixels = ((images + 1) * 127.5).round().int()
    left, right = pixels[:, 0, 0, 0], pixels[:, 0, 0, 1]
    assert torch.equal(left + right, torch.full_like(left, 255))
    return torch.minimum(left, right).tolist(), (left > right).tolist()


def test_an_epoch_shows_every_image_once_and_drops_the_partial_batch():
    batches = ImageBatches(make_dataset(11), 4, seed=0, is_mirrored=False)
    first = [read_numbers(batches.draw().images)[0] for _ in range(2)]
    assert len(set(first[0]) | set(first[1])) == 8
    assert batches.epoch == 0
    batches.draw()
    assert (batches.epoch, batches.position) == (1, 4)


def test_a_batch_is_shuffled_in_itself_and_labels_follow_their_images():
    labels = np.arange(120, dtype=np.float32)[:, None]
    batches = ImageBatches(make_dataset(120), 40, 0, False, label_rows=labels)
    for _ in range(3):
        batch = batches.draw()
        numbers = read_numbers(batch.images)[0]
        assert batch.labels[:, 0].tolist() == numbers
        rises = sum(a < b for a, b in pairwise(numbers))
        assert 10 <= rises <= 29  # of 39: sorted would be 39; 19.5 and a deviation of 2 expected
    assert ImageBatches(make_dataset(120), 40, 0, False).draw().labels.shape == (40, 0)


def test_epochs_differ_and_seeds_differ():
    def read_epoch(seed, epoch):
        batches = ImageBatches(make_dataset(64), 8, seed, is_mirrored=False)
        batches.restore(epoch, 0)
        return [tuple(read_numbers(batches.draw().images)[0]) for _ in range(8)]

    assert read_epoch(0, 0) == read_epoch(0, 0)
    assert read_epoch(0, 0) != read_epoch(0, 1)
    assert read_epoch(0, 0) != read_epoch(1, 0)
    assert sorted(number for batch in read_epoch(0, 1) for number in batch) == list(range(64))


def test_restore_goes_on_where_the_order_was_left():
    batches = ImageBatches(make_dataset(20), 4, seed=3, is_mirrored=True)
    for _ in range(7):
        batches.draw()
    expected = [batches.draw().images for _ in range(6)]
    other = ImageBatches(make_dataset(20), 4, seed=3, is_mirrored=True)
    other.restore(1, 8)
    assert all(torch.equal(other.draw().images, images) for images in expected)


def test_mirroring_turns_about_half_of_the_images():
    batches = ImageBatches(make_dataset(100), 100, seed=0, is_mirrored=True)
    flags = [read_numbers(batches.draw().images)[1] for _ in range(4)]
    assert 140 < sum(map(sum, flags)) < 260  # 400 fair coins: 200 +- 6 standard deviations
    assert flags[0] != flags[1]
    batches = ImageBatches(make_dataset(100), 100, seed=0, is_mirrored=False)
    assert not any(read_numbers(batches.draw().images)[1])


def test_images_span_minus_one_to_one():
    images = ImageBatches(make_dataset(4), 4, 0, False).draw().images
    assert images.dtype == torch.float32
    assert images.min() == -1
    assert images.max() == 1


def test_fewer_images_than_a_batch_are_refused():
    sentence = r"folder:numbers has 3 images, fewer than one batch of 4: .* --batch-size"
    with pytest.raises(DatasetError, match=sentence):
        ImageBatches(make_dataset(3), 4, 0, False)


class Last(Processes):
    """The last of three processes."""

    rank = 2
    num = 3


class First(Processes):
    """The first of three processes."""

    num = 3


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_processes_get_their_own_rows_of_every_batch(is_mirrored):
    alone = ImageBatches(make_dataset(20), 9, 5, is_mirrored)
    first = ImageBatches(make_dataset(20), 9, 5, is_mirrored, processes=First())
    last = ImageBatches(make_dataset(20), 9, 5, is_mirrored, processes=Last())
    for _ in range(5):  # two batches an epoch
        whole = alone.draw().images
        assert torch.equal(first.draw().images, whole[:3])
        assert torch.equal(last.draw().images, whole[6:])


def test_images_kept_on_the_device_are_the_same_images(monkeypatch):
    read = ImageBatches(make_dataset(20), 8, 1, is_mirrored=True)
    monkeypatch.setattr(batches_module, "fits_on_device", lambda *_: True)
    kept = ImageBatches(make_dataset(20), 8, 1, is_mirrored=True)
    for _ in range(5):
        assert torch.equal(read.draw().images, kept.draw().images)


def test_images_that_a_device_has_no_room_for_after_all_stay_where_they_are(monkeypatch):
    monkeypatch.setattr(batches_module, "fits_on_device", lambda *_: True)  # as it seemed
    images = make_dataset(8).images
    assert torch.equal(load_resident(images, torch.device("cpu")), torch.from_numpy(images))
    huge = np.broadcast_to(images[:, :, :1, :1], (8, 1, 1 << 24, 1 << 24))  # 2 PiB, if copied
    assert load_resident(huge, torch.device("cpu")) is None
