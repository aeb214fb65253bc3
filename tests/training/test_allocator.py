"""What a process keeps of its freed memory: counted in pages that the kernel has to hand out."""

import ctypes
import os
import subprocess
import sys
import types

import pytest
import torch

from training.allocator import keep_freed_memory
from training.devices import tune_device

CHOICES = ("MALLOC_", "GLIBC_TUNABLES")  # what a developer may have set
# Prints the pages handed out for tensors of 64 MB that come and go one after the other, and whether
# the C library understood.
COUNT_PAGES = """
import resource
import torch
from training.allocator import give_memory_back, keep_freed_memory
from training.devices import tune_device

answer = {setting}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(60):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, answer)
"""


def count_pages(setting, **environment):
    """Count in a process of its own; skips where the C library is another."""
    command = [sys.executable, "-c", COUNT_PAGES.format(setting=setting)]
    own = {key: value for key, value in os.environ.items() if not key.startswith(CHOICES)}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**own, **environment}
    )
    num_pages, answer = done.stdout.split()
    return int(num_pages), answer


@pytest.fixture(scope="module")
def num_pages():
    """Count the pages that a process gets by default; skips where that cannot be changed."""
    if sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"):
        pytest.skip("this system's C library has no mallopt")
    return count_pages("None")[0]


def test_a_large_block_is_handed_out_anew_unless_it_is_kept(num_pages):
    # It is not kept from the first time on: small blocks settle in the gaps.
    kept, answer = count_pages("keep_freed_memory()")
    assert (kept < num_pages / 2, answer) == (True, "True")
    given_back, answer = count_pages("keep_freed_memory() and give_memory_back()")
    assert (given_back > 0.9 * num_pages, answer) == (True, "True")


def test_training_on_a_cpu_keeps_it(num_pages):
    assert count_pages("tune_device(torch.device('cpu'))")[0] < num_pages / 2


def test_what_the_environment_says_counts(num_pages):
    kept, answer = count_pages("keep_freed_memory()", MALLOC_ARENA_MAX="2")
    assert (kept > 0.9 * num_pages, answer) == (True, "False")


@pytest.mark.parametrize("system", ["another system", "another C library"])
def test_elsewhere_nothing_happens(system, monkeypatch):
    if system == "another system":
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(ctypes, "CDLL", None)  # would raise if it were asked
    else:
        monkeypatch.setattr(ctypes, "CDLL", lambda _: types.SimpleNamespace())
    assert keep_freed_memory() is False
    tune_device(torch.device("cpu"))
