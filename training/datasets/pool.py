"""Decode many images on all cores, in order."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.cores import count_usable_cores
from training.errors import DatasetError

CHUNK_BYTES = 2**22
MAX_CHUNK_IMAGES = 128
# A worker costs about as much as decoding this many small images in the calling process.
IMAGES_PER_WORKER = 512


@dataclass(frozen=True)
class Chunk:
    """Hold the decoded images of one range.

    images: uint8 (n, C, H, W) of the usable ones. indices: their places in the source. labels: one
    row of texts for each image, or empty. failures: (name, reason) for each unusable one.
    """

    images: NDArray[np.uint8]
    indices: tuple[int, ...]
    labels: tuple[tuple[str, ...], ...] = ()
    failures: tuple[tuple[str, str], ...] = ()


class Decoder(Protocol):
    """Decode ranges of a source; picklable, since it is sent to other processes."""

    @property
    def num_items(self) -> int:
        """Count the items of the source, usable or not."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Return (C, H, W)."""

    def decode(self, indices: range) -> Chunk:
        """Decode the items of a range."""


_decoder: Decoder | None = None


def _start_worker(decoder: Decoder) -> None:
    global _decoder
    _decoder = decoder
    # Ctrl-C is answered by the parent, which ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent is gone; a killed parent cannot end its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _decode_in_worker(indices: range) -> Chunk:
    assert _decoder is not None
    return _decoder.decode(indices)


def split_indices(decoder: Decoder) -> list[range]:
    """Cut the items into ranges of a few megabytes of pixels each."""
    size = int(np.clip(CHUNK_BYTES // int(np.prod(decoder.image_shape)), 1, MAX_CHUNK_IMAGES))
    total = decoder.num_items
    return [range(start, min(start + size, total)) for start in range(0, total, size)]


def choose_num_workers(num_items: int) -> int:
    """Return how many processes pay off: 1 for small sets, at most one per core."""
    return max(1, min(count_usable_cores(), num_items // IMAGES_PER_WORKER))


def decode_chunks(decoder: Decoder, num_workers: int | None = None) -> Generator[Chunk, None, None]:
    """Yield all chunks in order, decoded by ``num_workers`` processes (1: by this one).

    Raises DatasetError if a worker dies, and whatever the decoder raises.
    """
    workers = choose_num_workers(decoder.num_items) if num_workers is None else num_workers
    if workers == 1:
        yield from map(decoder.decode, split_indices(decoder))
        return
    # Spawned, not forked: the parent may run threads (torch, a web server) that a fork would break.
    executor = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(decoder,),
    )
    try:
        yield from _collect_in_order(executor, split_indices(decoder), 4 * workers)
    except BrokenProcessPool as error:
        raise DatasetError(
            "A process that decoded images died (out of memory, or killed from outside), so the "
            "data set is not complete: free some memory and run the command again. In a script "
            "of your own, load data sets under `if __name__ == '__main__':`."
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _collect_in_order(
    executor: ProcessPoolExecutor, ranges: list[range], window: int
) -> Iterator[Chunk]:
    """Yield results in order with at most ``window`` chunks on the way, to bound the memory."""
    pending: deque[Future[Chunk]] = deque()
    for indices in ranges:
        pending.append(executor.submit(_decode_in_worker, indices))
        if len(pending) >= window:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
