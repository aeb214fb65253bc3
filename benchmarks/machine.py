"""Describe the machine and the versions a measurement was taken with."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def describe_machine(device: str) -> tuple[str, str]:
    """Return a machine's title (processor, cores, GPU if that is used) and a line of facts."""
    import torch

    from training.devices import describe_device, select_device

    chosen = select_device(device)
    title = describe_device("cpu")
    if chosen.type != "cpu":
        title = f"{describe_device(chosen)} ({title})"
    memory = describe_memory()
    gpu = "no GPU"
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        gpu = f"{properties.name} with {properties.total_memory / 1e9:.0f} GB"
    return title, f"{memory}; {gpu}; {describe_system()}"


def describe_memory() -> str:
    """Say how much memory the machine has; Windows tells it to no part of Python itself."""
    if not hasattr(os, "sysconf"):
        return "unknown memory"
    num_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{num_bytes / 1e9:.0f} GB of memory"


def describe_system() -> str:
    """Name the operating system, on Linux its distribution, and the architecture."""
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = f"{platform.system()} {platform.release()}"
    return f"{name}, {platform.machine()}"


def describe_versions(root: Path) -> str:
    """Return date, commit and the versions of Python and the packages that matter for speed."""
    parts = [f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}", read_commit(root)]
    parts.append(f"Python {platform.python_version()}")
    for package in ("torch", "gradio"):
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"no {package}")
    return ", ".join(part for part in parts if part)


def read_commit(root: Path) -> str:
    """Return the short commit of a checkout, with + if files differ from it; "" without git."""
    try:
        head = _run_git(root, "rev-parse", "--short", "HEAD")
        # A run that updates the results is no change to what the next run measures.
        others = ("--", ".", ":!benchmarks/RESULTS.md")
        changes = _run_git(root, "status", "--porcelain", "--untracked-files=no", *others)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"commit {head}{'+' if changes else ''}"


def _run_git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()
