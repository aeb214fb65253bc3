"""Choosing some of many: images of a data set, rows of features."""

import numpy as np
from numpy.typing import NDArray


def choose_subset(num_items: int, max_items: int) -> NDArray[np.int64]:
    """Choose at most `max_items` of so many at random: (M,), in order, without repeats.

    At random, because whatever is regular in a data set (sources or labels in turn) makes every
    k-th item a biased choice. The same counts give the same choice on every machine. Choices of
    different sizes do not depend on each other, so that a choice among chosen ones is fair too; and
    one size of growing many changes little by little.
    """
    if num_items <= max_items:
        return np.arange(num_items, dtype=np.int64)
    # Raw bits: NumPy may change what its distributions and permutations make of a seed.
    keys = np.random.PCG64(max_items).random_raw(num_items)
    return np.sort(np.argsort(keys, kind="stable")[:max_items])
