"""How much memory this process takes, for the record of a training."""

import os
import sys
from pathlib import Path

import torch

STATM = Path("/proc/self/statm")


def measure_memory(device: torch.device) -> dict[str, float]:
    """Return ``memory_mb`` and, on CUDA, ``gpu_memory_mb``, in units of 10^6 bytes.

    The first is what is resident now; where the system only tells the most that ever was (all but
    Linux), it is that. The second is the most that PyTorch has allocated on the device. What the
    system does not tell is left out.
    """
    memory = {}
    resident = _read_resident_bytes()
    if resident is not None:
        memory["memory_mb"] = round(resident / 1e6, 1)
    if device.type == "cuda":
        memory["gpu_memory_mb"] = round(torch.cuda.max_memory_allocated(device) / 1e6, 1)
    return memory


def _read_resident_bytes() -> int | None:
    if STATM.is_file():
        return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
