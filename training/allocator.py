"""How much freed memory a process keeps for its next tensors.

glibc maps blocks of more than 32 MB anew each time and gives them back when they are freed, so that
the kernel has to clear every page of every large tensor of every step: a ninth of the time of
WGAN-GP's step with batches of 128 in float32.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
MEGABYTE = 2**20


def keep_freed_memory(largest: int = 1024 * MEGABYTE, most: int = 512 * MEGABYTE) -> bool:
    """Keep freed blocks of up to ``largest`` bytes, and up to ``most`` at the end of the heap.

    Returns whether the C library understands it: glibc does, which is that of most Linux systems.
    With 32 and 64 MB the process is as glibc makes it by itself once a block of 32 MB was freed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, largest)) and bool(mallopt(M_TRIM_THRESHOLD, most))
