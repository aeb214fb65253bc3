"""Decoding in several processes."""

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from training.datasets.folder import FolderDecoder
from training.datasets.pool import MAX_CHUNK_IMAGES, Decoder, decode_chunks, split_indices
from training.errors import DatasetError

NUM_ITEMS = 3 * MAX_CHUNK_IMAGES + 1


@pytest.fixture
def make_decoder(monkeypatch) -> Callable[..., Decoder]:
    """Build a NumberDecoder; its module has to be found by other processes too."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    module = importlib.import_module("number_decoder")
    return partial(module.NumberDecoder, NUM_ITEMS)


def test_ranges_cover_every_item_once(make_decoder):
    ranges = split_indices(make_decoder())
    assert [len(indices) for indices in ranges] == [MAX_CHUNK_IMAGES] * 3 + [1]
    assert [i for indices in ranges for i in indices] == list(range(NUM_ITEMS))
    # Three times 1024 x 1024 bytes: one image to a chunk.
    assert len(split_indices(make_decoder(image_shape=(3, 1024, 1024)))) == NUM_ITEMS


def test_processes_keep_the_order(make_decoder):
    chunks = list(decode_chunks(make_decoder(), num_workers=2))
    values = np.concatenate([chunk.images for chunk in chunks])[:, 0, 0, 0]
    assert values.tolist() == [i % 256 for i in range(NUM_ITEMS)]
    assert [i for chunk in chunks for i in chunk.indices] == list(range(NUM_ITEMS))


def test_process_that_dies_is_an_error(make_decoder):
    with pytest.raises(DatasetError, match="process that decoded images died"):
        list(decode_chunks(make_decoder(dies_at=200), num_workers=2))


def test_error_of_a_process_arrives_whole(make_decoder):
    with pytest.raises(DatasetError, match="image 200 is wrong"):
        list(decode_chunks(make_decoder(raises_at=200), num_workers=2))


def test_files_decode_the_same_in_two_processes(tmp_path, write_solid):
    for i in range(6):
        write_solid(tmp_path / f"{i}.png", i)
    (tmp_path / "3.png").write_bytes(b"no picture")
    names = tuple(f"{i}.png" for i in range(6))
    # 1024 pixels: every image is a chunk of its own.
    decoder = FolderDecoder(tmp_path, names, 1024, 3, None)
    alone = list(decode_chunks(decoder, num_workers=1))
    spread = list(decode_chunks(decoder, num_workers=2))
    assert [c.indices for c in spread] == [c.indices for c in alone]
    assert [c.indices for c in alone] == [(0,), (1,), (2,), (), (4,), (5,)]
    assert [c.failures for c in spread] == [c.failures for c in alone]
    for a, b in zip(alone, spread, strict=True):
        assert np.array_equal(a.images, b.images)
