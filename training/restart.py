"""The command that goes on with a training, as it can be typed where this process was started."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from training.errors import CheckpointError
from training.runs import RunFolder

LAUNCHER_PORT = 29400


def list_resume_words(folder: RunFolder, device: str, num_processes: int = 1) -> list[str]:
    """List the words of the command that goes on with a run on the same device.

    A device that a resume was given is not kept with the run, which may go on elsewhere: it is
    named. Several processes are started by PyTorch's launcher, as they were.
    """
    launcher = list_launcher_words(num_processes, os.environ)
    words = [name_python(sys.executable, Path.cwd()), "-m", *launcher, "training", "train"]
    words += ["--resume", str(folder.path)]
    return words if _find_device(folder) in (device, None) else [*words, "--device", device]


def list_launcher_words(num_processes: int, environment: Mapping[str, str]) -> list[str]:
    """List the words between ``python -m`` and the module that start as many processes again.

    The launcher's environment tells how many machines there are: the command is for each of them,
    and they meet at the first one, at the launcher's own port.
    """
    if num_processes == 1:
        return []
    num_local = int(environment.get("LOCAL_WORLD_SIZE", num_processes))
    machines = ["--standalone"]
    if num_local < num_processes:
        endpoint = f"{environment.get('MASTER_ADDR', 'localhost')}:{LAUNCHER_PORT}"
        machines = ["--nnodes", str(num_processes // num_local)]
        machines += ["--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint]
    return ["torch.distributed.run", *machines, "--nproc-per-node", str(num_local), "-m"]


def join_words(words: list[str], is_windows: bool = sys.platform == "win32") -> str:
    """Join a command's words, quoted as the system's shell wants them."""
    return subprocess.list2cmdline(words) if is_windows else shlex.join(words)


def name_python(executable: str, here: Path, search_path: str | None = None) -> str:
    """Name a Python as short as it can be typed: as python, below the current folder, or in full.

    ``search_path`` is where commands are looked up; None for PATH.
    """
    found = shutil.which("python", path=search_path)
    if not executable or (found and _is_same(found, executable)):
        return "python"
    is_below = Path(executable).parent != here and Path(executable).is_relative_to(here)
    return str(Path(executable).relative_to(here)) if is_below else executable


def _is_same(one: str, other: str) -> bool:
    """Tell whether two names are of one Python: of virtual environments each is its own.

    The Python of an environment is a link out of it, so that only folders tell them apart.
    """
    first, second = Path(one), Path(other)
    is_beside = first.parent.resolve() == second.parent.resolve()
    return is_beside and first.resolve() == second.resolve()


def _find_device(folder: RunFolder) -> str | None:
    """Find the device that a resume takes by itself; None if the run's options tell none."""
    try:
        return folder.load_options().config.device
    except CheckpointError:
        return None
