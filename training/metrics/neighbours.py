"""Euclidean distances between many features, a block of rows at a time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FloatFeatures = NDArray[np.floating]
BLOCK_ROWS = 1024


def iter_distance_blocks(
    rows: FloatFeatures, columns: FloatFeatures, block_rows: int = BLOCK_ROWS
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield (rows of this block, distances (B, M)) from features (N, d) to features (M, d).

    Both are centred on the columns' mean first, so that float32 keeps about six digits of the
    distances however far the features lie from 0. Memory is bounded by `block_rows` x M.
    """
    centre = columns.mean(axis=0, dtype=np.float64)
    there = (columns - centre).astype(np.float32)
    squares_there = np.einsum("ij,ij->i", there, there)
    for start in range(0, len(rows), block_rows):
        block = slice(start, min(start + block_rows, len(rows)))
        here = (rows[block] - centre).astype(np.float32)
        squared = here @ there.T  # (B, M)
        squared *= -2
        squared += squares_there
        squared += np.einsum("ij,ij->i", here, here)[:, None]
        yield block, np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
