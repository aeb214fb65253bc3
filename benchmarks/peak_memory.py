"""Measure the peak memory of a training loop in a process of its own.

On a CPU that is resident memory with Python and PyTorch in it, and without the plain loop's
workers; on CUDA what PyTorch has reserved on the GPU at most, since what a CUDA graph holds does
not count as allocated.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.loops import LOOPS, Setting

if TYPE_CHECKING:
    import torch

# A step is recorded, where it is asked for, after three others.
NUM_STEPS, NUM_CUDA_STEPS = 2, 5


def measure_peak(root: Path, loop: str, setting: Setting, device: torch.device) -> float:
    """Return the peak megabytes of a few steps of a loop, run in a fresh process."""
    words = ["--loop", loop, "--model", setting.model, "--device", str(device)]
    words += ["--batch-size", str(setting.batch_size), "--resolution", str(setting.resolution)]
    command = [sys.executable, "-m", "benchmarks.peak_memory", *words]
    done = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[-1]) / 1e6


def read_peak_bytes(device: torch.device) -> int:
    """Return the most bytes this process has held so far, on a GPU if the device is one."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    status = Path("/proc/self/status")
    if status.exists():
        # The kernel's getrusage would count the parent process in: its peak survives exec.
        lines = status.read_text(encoding="utf-8").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Run a few steps of a loop and print the peak in bytes."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.peak_memory")
    parser.add_argument("--loop", choices=LOOPS, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--device", type=torch.device, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--resolution", type=int, required=True)
    options = parser.parse_args()
    setting = Setting(options.model, options.batch_size, options.resolution)
    num_steps = NUM_CUDA_STEPS if options.device.type == "cuda" else NUM_STEPS
    LOOPS[options.loop](setting, options.device).run_turn(num_steps)
    print(read_peak_bytes(options.device))


if __name__ == "__main__":
    main()
