"""How much freed memory a process keeps for its next tensors.

glibc maps blocks of more than 32 MB anew each time and gives them back when they are freed, so that
the kernel has to clear every page of every large tensor of every step: a ninth of the time of
WGAN-GP's step with batches of 128 in float32.
"""

import ctypes
import os
import sys

# Of glibc's malloc.h; and what its documentation calls the defaults, or the most they grow to.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
MEGABYTE = 2**20
DEFAULTS = {M_MMAP_MAX: 65_536, M_MMAP_THRESHOLD: 32 * MEGABYTE, M_TRIM_THRESHOLD: 64 * MEGABYTE}
# Every block is of the heap, however large, and up to half a gigabyte at its end is not given back.
KEEPING = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 512 * MEGABYTE}


def keep_freed_memory() -> bool:
    """Keep large blocks for the next ones; returns whether the C library does so.

    glibc does, which is that of most Linux systems. Where the environment says anything about its
    allocator, nothing is changed.
    """
    is_chosen = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    return not is_chosen and set_limits(KEEPING)


def give_memory_back() -> bool:
    """Go back to what glibc does by itself once a block of 32 MB was freed."""
    return set_limits(DEFAULTS)


def set_limits(limits: dict[int, int]) -> bool:
    """Set parameters of the C library's allocator; returns whether it took them all."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and all(mallopt(key, value) for key, value in limits.items())
