"""The cache of decoded images: used when whole, rebuilt when not."""

import hashlib
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.datasets.number_decoder import NumberDecoder
from training.datasets import cache, load_dataset
from training.datasets.cache import compute_fingerprint, load_or_decode
from training.errors import DatasetError


@pytest.fixture
def folder(tmp_path):
    """Three images of noise; BMP, so that other pixels take the same number of bytes."""
    path = tmp_path / "pictures"
    path.mkdir()
    for i in range(3):
        write_noise(path / f"{i}.bmp", seed=i)
    return path


def write_noise(path: Path, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def list_cache(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (tmp_path / "cache" / "datasets").iterdir()}


def test_images_are_mapped_from_the_cache_read_only(folder, make_options, tmp_path):
    first = load_dataset(f"folder:{folder}", make_options(), progress=False)
    second = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert isinstance(second.images, np.memmap)
    assert np.array_equal(first.images, second.images)
    assert not second.images.flags.writeable
    assert sorted(Path(name).suffix for name in list_cache(tmp_path)) == [".json", ".npy"]


def test_cache_is_used_until_a_file_changes(folder, make_options):
    first = np.array(load_dataset(f"folder:{folder}", make_options(), progress=False).images)
    path = folder / "1.bmp"
    times = path.stat()
    write_noise(path, seed=99)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    # Name, size and time say that nothing changed, so nothing is decoded.
    unchanged = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert np.array_equal(unchanged.images, first)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 10**9))
    changed = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert (changed.images != first).any(axis=(1, 2, 3)).tolist() == [False, True, False]
    assert changed.fingerprint != unchanged.fingerprint


@pytest.mark.parametrize(
    "change", [{"resolution": 16}, {"channels": 1}, {"crop": (0, 0, 4, 4)}, {"max_images": 2}]
)
def test_other_options_are_cached_apart(folder, make_options, change):
    plain = load_dataset(f"folder:{folder}", make_options(), progress=False)
    other = load_dataset(f"folder:{folder}", make_options(**change), progress=False)
    again = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert other.fingerprint != plain.fingerprint
    assert np.array_equal(again.images, plain.images)


def flip_byte(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        (".npy", lambda path: flip_byte(path, -1)),
        (".npy", lambda path: flip_byte(path, 200)),
        (".npy", lambda path: flip_byte(path, 60)),
        (".npy", lambda path: path.write_bytes(path.read_bytes()[:-5])),
        (".npy", lambda path: path.write_bytes(b"")),
        (".npy", lambda path: path.unlink()),
        (".json", lambda path: path.unlink()),
        (".json", lambda path: path.write_text("{")),
        (".json", lambda path: path.write_text("[]")),
        (".json", lambda path: flip_byte(path, 30)),
        (".json", lambda path: path.write_text(path.read_text().replace("[0, 1, 2]", "[0, 2, 1]"))),
    ],
)
def test_damaged_cache_is_rebuilt(folder, make_options, tmp_path, suffix, damage):
    first = load_dataset(f"folder:{folder}", make_options(), progress=False)
    pixels = np.array(first.images)
    whole = list_cache(tmp_path)
    path = next((tmp_path / "cache" / "datasets").glob(f"*{suffix}"))
    damage(path)
    assert list_cache(tmp_path) != whole
    again = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert np.array_equal(again.images, pixels)
    assert again.fingerprint == first.fingerprint
    assert list_cache(tmp_path) == whole


def test_fingerprint_is_blake2b_of_pixels_and_shape():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
    text = images.tobytes() + b"(5, 3, 8, 8)"
    assert compute_fingerprint(images) == hashlib.blake2b(text, digest_size=8).hexdigest()
    assert compute_fingerprint(images.reshape(5, 3, 4, 16)) != compute_fingerprint(images)


def test_fingerprint_of_a_data_set_is_that_of_its_images(folder, make_options):
    dataset = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert dataset.fingerprint == compute_fingerprint(np.array(dataset.images))


def test_cache_that_cannot_be_written_is_an_error(folder, make_options, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "datasets").write_text("in the way")
    with pytest.raises(DatasetError, match=r"cannot be written.*--cache-dir"):
        load_dataset(f"folder:{folder}", make_options(), progress=False)


def test_what_the_disk_has_no_room_for_is_not_begun(make_options, tmp_path):
    """Two images of 3 million million million bytes are too many for any disk; none is decoded."""
    decoder = NumberDecoder(2, (3, 10**9, 10**9), raises_at=0)
    with pytest.raises(DatasetError, match=r"numbers takes 6,000,000,000\.0 GB in .*--cache-dir"):
        load_or_decode("numbers", {}, decoder, make_options(), progress=False, num_workers=1)
    assert list((tmp_path / "cache" / "datasets").iterdir()) == []


@pytest.mark.parametrize("num_bytes", [3 * 3 * 8 * 8, 3 * 3 * 8 * 8 + 1])
def test_checking_a_large_cache_is_shown(folder, make_options, monkeypatch, num_bytes, capsys):
    """From a size on that a test would have to wait for; a smaller one stands in for it."""
    monkeypatch.setattr(cache, "MIN_SHOWN_BYTES", num_bytes)
    load_dataset(f"folder:{folder}", make_options(), progress=False)
    for progress in (False, True):
        load_dataset(f"folder:{folder}", make_options(), progress=progress)
        is_shown = "Checking pictures: 100%" in capsys.readouterr().err
        assert is_shown == (progress and num_bytes == 576)


def test_half_written_files_are_removed_after_a_day(folder, make_options, tmp_path):
    caches = tmp_path / "cache" / "datasets"
    caches.mkdir(parents=True)
    for name, age in (("old", 25), ("new", 23)):
        path = caches / f".{name}.npy.1.tmp"
        path.write_bytes(b"half")
        changed = time.time() - age * 3600
        os.utime(path, (changed, changed))
    load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert [path.name for path in caches.glob(".*.tmp")] == [".new.npy.1.tmp"]
