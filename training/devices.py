"""The devices that networks run on: choosing one, naming it, and knowing what it is fast at."""

import platform
import subprocess
from pathlib import Path

import torch
from torch import Tensor

from training.allocator import keep_freed_memory
from training.cores import count_usable_cores
from training.errors import ConfigError

DEVICE_NAMES = ("auto", "cuda", "mps", "cpu")


def select_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; "auto" takes the first present of CUDA, MPS and CPU.

    Besides `DEVICE_NAMES` a numbered GPU such as "cuda:1" is understood.

    Raises:
        ConfigError: the name is unknown, or this machine has no such device.
    """
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if _is_available(kind)))
    kind, _, index = name.partition(":")
    if kind not in DEVICE_NAMES[1:] or (index and not (kind == "cuda" and index.isdigit())):
        raise ConfigError(
            f"device: found {name!r}, expected one of {', '.join(DEVICE_NAMES)} (or cuda:NUMBER)."
        )
    if not _is_available(kind):
        raise ConfigError(
            f"device: {name!r} was asked for, but PyTorch {torch.__version__} finds no such device"
            " on this machine. Choose 'auto' or 'cpu'."
        )
    if index and int(index) >= torch.cuda.device_count():
        raise ConfigError(
            f"device: {name!r} was asked for, but this machine has {torch.cuda.device_count()}"
            " CUDA device(s), counted from 0."
        )
    return torch.device(name)


def describe_device(device: torch.device | str) -> str:
    """Name the hardware behind `device` for people, e.g. "AMD EPYC 9R14, 2 cores"."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"{_get_cpu_name()}, Metal GPU"
    num_cores = count_usable_cores()
    return f"{_get_cpu_name()}, {num_cores} core{'' if num_cores == 1 else 's'}"


def has_fast_bfloat16(device: torch.device | str) -> bool:
    """Tell whether `device` computes bfloat16 in hardware, so that autocasting to it saves time.

    On a CPU that means AVX-512 BF16 or AMX, on CUDA compute capability 8.0 (Ampere) or newer.
    Elsewhere bfloat16 is emulated and slower than float32.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type == "cpu":
        return _has_fast_bfloat16_on_cpu()
    return False


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Tell whether to compute under bf16 autocast: asked for, or "auto" where it is fast."""
    return precision == "bf16" or (precision == "auto" and has_fast_bfloat16(device))


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor of the CPU to a device; a GPU goes on meanwhile.

    Only from pinned memory does a copy to a GPU leave both it and the processor free. Elsewhere it
    is waited for, since what it reads may be gone too soon.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def tune_device(device: torch.device) -> None:
    """Set this process up for training on a device.

    On a CPU freed memory is kept. A CUDA device becomes the current one, uses TF32, which keeps 10
    bits of a factor's mantissa (bfloat16: 7), and searches for the fastest convolutions, which pays
    where shapes stay the same. TF32 is a switch of the whole process, so scores that are taken
    beside a training use it too; in convolutions it is PyTorch's default without this.
    """
    if device.type == "cpu":
        keep_freed_memory()
    elif device.type == "cuda":
        if device.index is not None:  # streams and graphs are of the current device
            torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True


def _has_fast_bfloat16_on_cpu() -> bool:
    if hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    # Releases of PyTorch before get_capabilities() have only these private questions.
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, question, bool)() for question in questions)


def _is_available(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    if kind == "mps":
        return torch.backends.mps.is_available()
    return True


def _get_cpu_name() -> str:
    name = ""
    if platform.system() == "Linux":
        name = _read_linux_cpu_name(Path("/proc/cpuinfo"))
    elif platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        name = result.stdout.strip()
    name = name or platform.processor() or platform.machine()
    return " ".join(name.replace("(R)", "").replace("(TM)", "").split())


def _read_linux_cpu_name(cpuinfo: Path) -> str:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else ""
