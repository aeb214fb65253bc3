"""What a process keeps of its freed memory: counted in pages that the kernel has to hand out."""

import subprocess
import sys

import pytest
import torch

from training.allocator import keep_freed_memory
from training.devices import tune_device

# Prints the pages handed out for tensors of 64 MB that come and go one after the other.
COUNT_PAGES = """
import resource
import torch
from training.allocator import MEGABYTE, keep_freed_memory
from training.devices import tune_device

{setting}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(60):
    torch.ones(16 * MEGABYTE)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

needs_glibc = pytest.mark.skipif(
    not keep_freed_memory(), reason="this system's C library has no mallopt"
)


def count_pages(setting):
    command = [sys.executable, "-c", COUNT_PAGES.format(setting=setting)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.fixture(scope="module")
def num_pages():
    """Count the pages that a process gets by default."""
    return count_pages("")


@needs_glibc
def test_a_large_block_is_handed_out_anew_unless_it_is_kept(num_pages):
    # It is not kept from the first time on: small blocks settle in the gaps.
    assert count_pages("keep_freed_memory()") < num_pages / 2
    assert count_pages("keep_freed_memory(32 * MEGABYTE, 64 * MEGABYTE)") > 0.9 * num_pages


@needs_glibc
def test_training_on_a_cpu_keeps_it(num_pages):
    assert count_pages("tune_device(torch.device('cpu'))") < num_pages / 2


def test_another_system_says_that_it_does_not_understand(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert keep_freed_memory() is False
    tune_device(torch.device("cpu"))
