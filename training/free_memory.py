"""How much memory is free: of a GPU, the machine, a container; and what is said without enough."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch

from training.errors import TrainingError

PROC = Path("/proc")
# Where there is no limit, version 1 writes the largest multiple of a page.
NO_LIMIT = 1 << 60
# A GPU's failure to allocate has a class of its own; libraries and the processor only have texts.
OUT_OF_MEMORY_TEXTS = ("out of memory", "can't allocate", "not enough memory", "ALLOC_FAILED")


@dataclass(frozen=True)
class GroupFiles:
    """Name a control group's files, and the entries of its statistics that can be reclaimed.

    The kernel drops pages of files, those in use lately too, before it kills a process.
    """

    limit: str
    usage: str
    reclaimable: tuple[str, ...]


VERSION_1 = GroupFiles(
    "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")
)
VERSION_2 = GroupFiles("memory.max", "memory.current", ("inactive_file", "active_file"))


def read_free_bytes(device: torch.device, proc: Path = PROC) -> int | None:
    """Return the memory that is free on a device; None where the system does not tell.

    For the processor that is what the machine has left, or less where a container's limit, or that
    of a group of processes around it, is nearer: beyond it processes are killed without a word.
    """
    if device.type == "cuda":
        # What PyTorch has kept for itself and does not use is free for it.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    if device.type != "cpu":
        return None
    found = (_read_machine_bytes(proc), *_read_group_bytes(proc))
    return min((num_bytes for num_bytes in found if num_bytes is not None), default=None)


@contextlib.contextmanager
def advise_out_of_memory(purpose: str, advice: str) -> Iterator[None]:
    """Turn a failed allocation into a TrainingError that says what it was for, and what to do."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(f"There is not enough memory for {purpose}: {advice}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of PyTorch or NumPy is that of a failed allocation."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        text in str(error) for text in OUT_OF_MEMORY_TEXTS
    )


def _read_machine_bytes(proc: Path) -> int | None:
    for line in _read_lines(proc / "meminfo"):
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    return None


def _read_group_bytes(proc: Path) -> Iterator[int | None]:
    """Yield what each control group leaves that this process is in, from its own to the root."""
    places = {}
    for line in _read_lines(proc / "self" / "cgroup"):
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if "memory" in controllers.split(","):
            places[VERSION_1] = path
        elif number == "0" and not controllers:
            places[VERSION_2] = path
    for files, root, mount in _list_mounts(proc):
        if files in places:
            folder = _find_folder(places[files], root, mount)
            for group in (folder, *folder.parents):
                yield _read_left(group, files)
                if group == mount:
                    break


def _list_mounts(proc: Path) -> Iterator[tuple[GroupFiles, str, Path]]:
    """Yield where control groups of memory are to be seen, and which of them is the top there."""
    for line in _read_lines(proc / "self" / "mountinfo"):
        place, _, source = line.partition(" - ")
        kind, _, options = [*source.split(" ", 2), "", ""][:3]
        root, mount = (text.replace("\\040", " ") for text in [*place.split(" "), *[""] * 5][3:5])
        if kind == "cgroup2":
            yield VERSION_2, root, Path(mount)
        elif kind == "cgroup" and "memory" in options.split(","):
            yield VERSION_1, root, Path(mount)


def _find_folder(path: str, root: str, mount: Path) -> Path:
    """Return the folder of a group; in a container its path may be one of the host's."""
    group = PurePosixPath(path)
    is_seen = group.is_relative_to(root) and ".." not in group.parts
    return mount / group.relative_to(root) if is_seen else mount


def _read_left(group: Path, files: GroupFiles) -> int | None:
    """Return what a group leaves; None without a limit."""
    limit, usage = (_read_lines(group / name) for name in (files.limit, files.usage))
    if not limit or not usage or limit[0] == "max" or int(limit[0]) >= NO_LIMIT:
        return None
    counts = dict(line.split(" ", 1) for line in _read_lines(group / "memory.stat"))
    reclaimable = sum(int(counts.get(name, 0)) for name in files.reclaimable)
    return max(0, int(limit[0]) - max(0, int(usage[0]) - reclaimable))


def _read_lines(path: Path) -> list[str]:
    """Return a file's lines; none where there is no such file, or it may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
