"""Keep decoded data sets on disk: pixels in a .npy file, the rest in a JSON file beside it."""

import hashlib
import io
import json
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.datasets.pool import Chunk, Decoder, decode_chunks
from training.datasets.types import DatasetOptions, LabelColumn
from training.errors import DatasetError
from training.files import get_cache_dir, write_atomically, write_text

# Raise it when the same source and options come to give other pixels, or the files another layout.
FORMAT_VERSION = 1
HASH_BYTES = 8
HASH_BLOCK_BYTES = 2**24
LEFTOVER_SECONDS = 24 * 3600
# Hashing more takes longer than anyone waits without a word, at some 0.7 GB/s.
MIN_SHOWN_BYTES = 2**28


@dataclass(frozen=True)
class CachedImages:
    """Hold what the cache knows of a data set; ``images`` is memory-mapped, read-only."""

    images: NDArray[np.uint8]
    fingerprint: str
    indices: tuple[int, ...]
    labels: tuple[tuple[str, ...], ...]
    failures: tuple[tuple[str, str], ...]


def compute_key(identity: dict[str, Any], options: DatasetOptions) -> str:
    """Hash the source's identity and the options that change pixels into a cache key."""
    facts = {
        "format": FORMAT_VERSION,
        "identity": identity,
        "resolution": options.resolution,
        "channels": options.channels,
        "crop": options.crop,
        "max_images": options.max_images,
    }
    return hash_text(json.dumps(facts, sort_keys=True))


def hash_text(text: str) -> str:
    """Return 16 hexadecimal digits of BLAKE2b."""
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def compute_fingerprint(
    images: NDArray[np.uint8], on_block: Callable[[int], object] = lambda _size: None
) -> str:
    """Hash pixels and shape, uint8 (N, C, H, W), to 16 hexadecimal digits.

    ``on_block`` hears the size in bytes of each piece that is done.
    """
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    rows = max(1, HASH_BLOCK_BYTES // max(1, images[:1].nbytes))
    for start in range(0, len(images), rows):
        block = np.ascontiguousarray(images[start : start + rows])
        digest.update(block.data)
        on_block(block.nbytes)
    digest.update(str(tuple(images.shape)).encode())
    return digest.hexdigest()


def get_cache_path(slug: str, key: str, options: DatasetOptions) -> Path:
    """Return the path of the pixel file of a data set."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", slug).strip("-.")[:60]
    folder = get_cache_dir(options.cache_dir) / "datasets"
    return folder / f"{name}-{options.resolution}-{key}.npy"


def load_or_decode(
    slug: str,
    identity: dict[str, Any],
    decoder: Decoder,
    options: DatasetOptions,
    progress: bool,
    num_workers: int | None = None,
) -> CachedImages:
    """Read a data set from the cache, or decode it and write the cache.

    A cache that is damaged in any byte is decoded again. Raises DatasetError if no item is usable,
    and before the first one where the disk has no room for all.
    """
    key = compute_key(identity, options)
    path = get_cache_path(slug, key, options)
    cached = read_cache(path, key, slug if progress else None)
    if cached is not None:
        return cached
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent)
        _check_space(path.parent, decoder, slug)
        path.with_suffix(".json").unlink(missing_ok=True)
        parts = _decode_to_file(path, decoder, progress, num_workers, slug)
        sidecar = {"key": key, **parts}
        sidecar["checksum"] = hash_text(json.dumps(sidecar, sort_keys=True))
        write_text(path.with_suffix(".json"), json.dumps(sidecar))
    except OSError as error:
        raise DatasetError(
            f"The cache {path} cannot be written ({error.strerror or error}): "
            "choose a folder of yours with --cache-dir."
        ) from error
    images = map_images(path, parts["shape"])
    if images is None:
        raise DatasetError(f"The cache {path} changed while it was written: run the command again.")
    return _build_cached(images, parts)


def _check_space(folder: Path, decoder: Decoder, title: str) -> None:
    needed, free = (
        decoder.num_items * math.prod(decoder.image_shape),
        shutil.disk_usage(folder).free,
    )
    if needed > free:
        raise DatasetError(
            f"{title} takes {needed / 1e9:,.1f} GB in {folder}, where {free / 1e9:,.1f} GB are "
            "free: remove copies there that are no longer used, or choose another folder with "
            "--cache-dir."
        )


def read_cache(path: Path, key: str, title: str | None = None) -> CachedImages | None:
    """Read a cache, or return None if it is absent, of another key, or damaged.

    With a ``title`` a bar on stderr shows how far a large one is checked.
    """
    try:
        sidecar = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        checksum = sidecar.pop("checksum")
        if sidecar["key"] != key or checksum != hash_text(json.dumps(sidecar, sort_keys=True)):
            return None
        images = map_images(path, sidecar["shape"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if images is None:
        return None
    is_shown = title is not None and images.nbytes >= MIN_SHOWN_BYTES
    with tqdm(
        total=images.nbytes, desc=f"Checking {title}", unit="B", unit_scale=True,
        disable=not is_shown,
    ) as bar:  # fmt: skip
        is_whole = compute_fingerprint(images, bar.update) == sidecar["fingerprint"]
    return None if not is_whole else _build_cached(images, sidecar)


def map_images(path: Path, shape: list[int]) -> NDArray[np.uint8] | None:
    """Map the pixels of a .npy file, read-only, or return None if it is not what was written."""
    header = io.BytesIO()
    offset = _write_header(header, tuple(shape))
    with path.open("rb") as file:
        has_header = file.read(offset) == header.getvalue()
        size = file.seek(0, io.SEEK_END)
    if not has_header or size != offset + math.prod(shape):
        return None
    return np.memmap(path, dtype=np.uint8, mode="r", offset=offset, shape=tuple(shape))


def has_cache(slug: str, identity: dict[str, Any], options: DatasetOptions) -> bool:
    """Say whether a cache was written for this data set, without reading its pixels."""
    path = get_cache_path(slug, compute_key(identity, options), options)
    return path.is_file() and path.with_suffix(".json").is_file()


def encode_labels(
    texts: tuple[tuple[str, ...], ...], columns: tuple[LabelColumn, ...]
) -> NDArray[np.int64]:
    """Turn rows of label texts into indices into the columns' values, int64 (N, L)."""
    positions = [{value: i for i, value in enumerate(column.values)} for column in columns]
    labels = np.empty((len(texts), len(columns)), dtype=np.int64)
    for row, values in enumerate(texts):
        labels[row] = [position[value] for position, value in zip(positions, values, strict=True)]
    return labels


def _build_cached(images: NDArray[np.uint8], parts: dict[str, Any]) -> CachedImages:
    return CachedImages(
        images=images,
        fingerprint=parts["fingerprint"],
        indices=tuple(parts["indices"]),
        labels=tuple(tuple(row) for row in parts["labels"]),
        failures=tuple((name, reason) for name, reason in parts["failures"]),
    )


def _remove_leftovers(folder: Path) -> None:
    """Delete what a killed process left half written more than a day ago."""
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                path.unlink()


@dataclass
class _Parts:
    fingerprint: str
    shape: list[int]
    indices: list[int]
    labels: list[tuple[str, ...]]
    failures: list[tuple[str, str]]


def _decode_to_file(
    path: Path, decoder: Decoder, progress: bool, num_workers: int | None, title: str
) -> dict[str, Any]:
    """Decode everything into a .npy file and return the rest of the data."""
    parts = _Parts("", [], [], [], [])

    def write(temporary: Path) -> None:
        # Closed at once when writing fails, so that no worker is left behind.
        with closing(decode_chunks(decoder, num_workers)) as chunks, temporary.open("wb") as file:
            _write_array(file, decoder, _show_progress(chunks, decoder, progress, title), parts)

    write_atomically(path, write)
    return asdict(parts)


def _show_progress(
    chunks: Iterator[Chunk], decoder: Decoder, progress: bool, title: str
) -> Iterator[Chunk]:
    with tqdm(
        total=decoder.num_items, desc=f"Preparing {title}", unit="image", disable=not progress
    ) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk.indices) + len(chunk.failures))


def _write_array(file: IO[bytes], decoder: Decoder, chunks: Iterator[Chunk], parts: _Parts) -> None:
    """Stream chunks into a .npy file; its header is written again once their number is known."""
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    header_end = _write_header(file, (decoder.num_items, *decoder.image_shape))
    for chunk in chunks:
        pixels = np.ascontiguousarray(chunk.images).data
        digest.update(pixels)
        file.write(pixels)
        parts.indices.extend(chunk.indices)
        parts.labels.extend(chunk.labels)
        parts.failures.extend(chunk.failures)
    if not parts.indices:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in parts.failures[:3])
        raise DatasetError(
            f"None of the {decoder.num_items} image files can be decoded ({reasons}): "
            "check that they are whole and of a format that Pillow reads, such as JPEG or PNG."
        )
    shape = (len(parts.indices), *decoder.image_shape)
    digest.update(str(shape).encode())
    parts.fingerprint = digest.hexdigest()
    parts.shape = list(shape)
    file.seek(0)
    # NumPy pads headers so that the first axis can grow in place.
    assert _write_header(file, shape) == header_end


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> int:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()
