"""Free memory: of the machine, within the limits of control groups, and failed allocations."""

import numpy as np
import pytest
import torch

from training.errors import TrainingError
from training.free_memory import advise_out_of_memory, read_free_bytes

CPU = torch.device("cpu")
MIB = 1 << 20
VERSION_2 = ("memory.max", "memory.current", "inactive_file", "active_file")
VERSION_1 = (
    *("memory.limit_in_bytes", "memory.usage_in_bytes"),
    *("total_inactive_file", "total_active_file"),
)


@pytest.fixture
def proc(tmp_path):
    """Return a /proc of a machine that has 4,000 MiB left, and no control groups."""
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    lines = f"MemTotal: 8192000 kB\nMemFree: 1024 kB\nMemAvailable: {4000 * 1024} kB\n"
    (folder / "meminfo").write_text(lines)
    return folder


def enter(proc, groups, *mounts):
    """Put this process into groups, which are to be seen at mounts (kind, root, place, options)."""
    (proc / "self" / "cgroup").write_text("".join(f"{group}\n" for group in groups))
    lines = ["22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw"]
    for number, (kind, root, place, options) in enumerate(mounts):
        escaped = str(place).replace(" ", "\\040")
        optional = "shared:9 " * (number % 2)  # there may be any number of such fields
        lines.append(f"3{number} 22 0:2 {root} {escaped} rw {optional}- {kind} {kind} {options}")
    (proc / "self" / "mountinfo").write_text("".join(f"{line}\n" for line in lines))


def make_group(folder, names, limit, usage, inactive=0, active=0):
    """Write what a group allows and takes; numbers are MiB."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit if isinstance(limit, str) else limit * MIB}\n")
    (folder / names[1]).write_text(f"{usage * MIB}\n")
    counts = {"anon": usage * MIB, names[2]: inactive * MIB, names[3]: active * MIB}
    lines = "".join(f"{name} {count}\n" for name, count in counts.items())
    (folder / "memory.stat").write_text(lines)


def test_without_groups_the_machine_tells(proc):
    assert read_free_bytes(CPU, proc) == 4000 * MIB
    assert read_free_bytes(CPU, proc / "nowhere") is None
    assert read_free_bytes(torch.device("mps"), proc) is None


@pytest.mark.parametrize(
    ("own", "job", "expected"),
    [
        ((1000, 300), ("max", 900), 700),
        (("max", 300), (1000, 900), 100),  # the job around the step is what is full
        ((1000, 300, 150, 50), ("max", 900), 900),  # pages of files make room
        ((5000, 300), ("max", 900), 4000),  # the machine itself has less left
        ((1000, 1001), ("max", 1001), 0),
        (("max", 300), ("max", 900), 4000),
    ],
)
def test_the_nearest_limit_of_a_group_and_those_around_it_counts(
    own, job, expected, proc, tmp_path
):
    top = tmp_path / "sys fs"  # a mount's name is escaped
    enter(proc, ["0::/slurm/job/step"], ("cgroup2", "/", top, "rw,nsdelegate"))
    make_group(top / "slurm/job/step", VERSION_2, *own)
    make_group(top / "slurm/job", VERSION_2, *job)
    (top / "slurm" / "memory.max").write_text("max\n")  # the root has no such files
    assert read_free_bytes(CPU, proc) == expected * MIB


def test_the_first_version_of_groups_counts_too(proc, tmp_path):
    memory, cpu = tmp_path / "memory", tmp_path / "cpu"
    groups = ["5:cpu,cpuacct:/docker/a", "4:memory:/docker/a", "0::/docker/a"]
    mounts = (("cgroup", "/", cpu, "rw,cpu,cpuacct"), ("cgroup", "/", memory, "rw,memory"))
    enter(proc, groups, *mounts, ("cgroup2", "/", tmp_path / "unified", "rw"))
    make_group(memory, VERSION_1, "9223372036854771712", 9000)
    make_group(memory / "docker/a", VERSION_1, 2048, 512, 100, 28)
    make_group(cpu / "docker/a", VERSION_1, 1, 1)  # not of memory
    assert read_free_bytes(CPU, proc) == (2048 - (512 - 128)) * MIB
    (proc / "meminfo").unlink()
    make_group(memory / "docker/a", VERSION_1, "9223372036854771712", 512)
    assert read_free_bytes(CPU, proc) is None


@pytest.mark.parametrize(
    ("path", "root"),
    [("/", "/"), ("/docker/a", "/docker/a"), ("/docker/a", "/docker/b"), ("/../../b", "/")],
)
def test_a_container_sees_its_own_group_at_the_top(path, root, proc, tmp_path):
    top = tmp_path / "cgroup"
    enter(proc, [f"0::{path}"], ("cgroup2", root, top, "rw"))
    make_group(top, VERSION_2, 1500, 600, 50)
    make_group(top.parent, VERSION_2, 10, 0)  # beyond the mount are no groups
    assert read_free_bytes(CPU, proc) == 950 * MIB


def test_lines_of_another_kind_are_passed_over(proc):
    (proc / "self" / "cgroup").write_text("\nno colons\n0::/mine\n")
    (proc / "self" / "mountinfo").write_text("\nno dash\n1 2 - cgroup2 none\n3 4 0:5 / - cgroup\n")
    assert read_free_bytes(CPU, proc) == 4000 * MIB


def test_this_machine_tells():
    free = read_free_bytes(CPU)
    assert free is None or 1e6 < free < 1e14


def test_a_failed_allocation_says_what_it_was_for():
    sentence = r"^There is not enough memory for the hat: take a smaller one\.$"
    for fail in (lambda: torch.empty(1 << 50), lambda: np.empty(1 << 50)):
        with (
            pytest.raises(TrainingError, match=sentence),
            advise_out_of_memory("the hat", "take a smaller one."),
        ):
            fail()
    for error in (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ):
        with pytest.raises(TrainingError, match=sentence):
            raise_within(error)
    with pytest.raises(RuntimeError, match="must match"):
        raise_within(RuntimeError("sizes must match"))


def raise_within(error):
    with advise_out_of_memory("the hat", "take a smaller one."):
        raise error
