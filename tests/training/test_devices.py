"""Choosing and naming devices."""

import os
import re
from pathlib import Path

import pytest
import torch

from training.devices import describe_device, has_fast_bfloat16, select_device
from training.errors import ConfigError


def test_cpu_is_always_there():
    assert select_device("cpu") == torch.device("cpu")


def test_auto_takes_a_gpu_where_there_is_one():
    expected = "cuda" if torch.cuda.is_available() else None
    expected = expected or ("mps" if torch.backends.mps.is_available() else "cpu")
    assert select_device("auto").type == expected


@pytest.mark.parametrize("name", ["gpu", "", "cpu:0", "cuda:", "cuda:x", "auto:1", "mps:1"])
def test_unknown_names_are_refused_with_the_known_ones(name):
    if name == "cuda:" and torch.cuda.is_available():
        name = "cuda:-1"
    with pytest.raises(ConfigError, match=r"auto|no such device"):
        select_device(name)


def test_a_device_that_is_not_here_is_refused():
    missing = "mps" if torch.cuda.is_available() else "cuda"
    if missing == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has both CUDA and MPS")
    with pytest.raises(ConfigError, match="no such device"):
        select_device(missing)


def test_a_cpu_is_described_by_its_name_and_usable_cores():
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert re.fullmatch(rf"\S.*, {num_cores} cores?", describe_device("cpu"))


def test_bfloat16_is_fast_where_the_kernel_lists_it():
    """Linux lists a CPU's instructions; PyTorch must come to the same answer."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file() or "flags" not in (text := cpuinfo.read_text()):
        pytest.skip("no list of CPU flags on this system")
    flags = next(line for line in text.splitlines() if line.startswith("flags")).split()
    assert has_fast_bfloat16("cpu") == ("avx512_bf16" in flags or "amx_bf16" in flags)


def test_bfloat16_is_never_fast_on_mps():
    assert not has_fast_bfloat16(torch.device("mps"))
