"""Kill a training with SIGKILL again and again, resume it, and compare it with one left alone.

Run as `python -m benchmarks.kill_resume`; takes a few minutes. Ends with status 1 if a kill cost
more than the steps since the last save, or if any bit came out differently.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.machine import describe_machine, describe_versions

if TYPE_CHECKING:
    from training.trainer import Trainer

ROOT = Path(__file__).resolve().parent.parent
SAVE_EVERY = 20
STEPS = 30 * SAVE_EVERY
OPTIONS = (
    *("--model", "dcgan", "--resolution", "32", "--width", "32", "--batch-size", "4"),
    *("--log-every", "1", "--save-every", str(SAVE_EVERY), "--score-every", "0"),
    *("--steps", str(STEPS), "--device", "cpu", "--mirror", "--instance-noise", "0.1"),
)
# So many milliseconds pass at most after the step of a kill, and after the first sign of a save.
STEP_DELAY_MS, SAVE_DELAY_MS = 25, 6
BEGIN, END = "<!-- kill_resume:begin -->", "<!-- kill_resume:end -->"
COLUMNS = (
    *("kill", "moment", "step at the kill", "in a save"),
    *("resumed from", "steps lost", "identical"),
)


@dataclass(frozen=True)
class Moment:
    """Say when to kill: after a step, or once the save of that step or a later one has begun."""

    step: int
    delay_ms: float
    is_save: bool

    def describe(self) -> str:
        """Describe the moment in words."""
        place = f"save of step {self.step}" if self.is_save else f"step {self.step}"
        return f"{place} + {self.delay_ms:.0f} ms"


@dataclass(frozen=True)
class Kill:
    """Hold what one kill left behind."""

    moment: Moment
    step: int
    was_saving: bool
    resumed_from: int
    is_identical: bool

    @property
    def steps_lost(self) -> int:
        """Count the steps that have to be taken again."""
        return self.step - self.resumed_from


def choose_moments(num_kills: int, seed: int) -> list[Moment]:
    """Choose one moment in each of as many equal parts of the training, every other in a save."""
    rng = random.Random(seed)
    length = STEPS // num_kills
    if length <= SAVE_EVERY:
        raise SystemExit(
            f"--kills {num_kills}: at most {STEPS // (SAVE_EVERY + 1)} find their save."
        )
    moments = []
    for number in range(num_kills):
        first = number * length + 1
        if number % 2:
            save = -(-first // SAVE_EVERY) * SAVE_EVERY
            moments.append(Moment(save, rng.uniform(0, SAVE_DELAY_MS), is_save=True))
        else:
            step = rng.randrange(first, first + length)
            moments.append(Moment(step, rng.uniform(0, STEP_DELAY_MS), is_save=False))
    return moments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment and print its table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill_resume", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="how often to kill (20)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (0)")
    parser.add_argument("--output", type=Path, help=f"page with the lines {BEGIN} and {END}")
    options = parser.parse_args(arguments)
    taken = f"{describe_machine('cpu')[0]}; {describe_versions(ROOT)}; seed {options.seed}"
    print(taken, flush=True)
    moments = choose_moments(options.kills, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        lines, is_exact = run_experiment(Path(folder), moments)
    if options.output:
        update_page(options.output, f"{taken}.\n\n" + "\n".join(lines))
    return 0 if is_exact else 1


def run_experiment(folder: Path, moments: Sequence[Moment]) -> tuple[list[str], bool]:
    """Return the table's lines, printed as they come about, and whether all went as promised."""
    draw_pictures(folder / "pictures")
    os.environ |= {"XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    whole, digests = train_undisturbed(folder)
    lines = [show(f"| {' | '.join(COLUMNS)} |"), show("|---" * len(COLUMNS) + "|")]
    is_exact = True
    for number, moment in enumerate(moments, 1):
        kill = kill_once(folder, moment, digests, whole, is_first=number == 1)
        is_exact &= kill.is_identical and kill.steps_lost <= SAVE_EVERY
        cells = (
            *(number, moment.describe(), kill.step, "yes" if kill.was_saving else "-"),
            *(kill.resumed_from, kill.steps_lost, "yes" if kill.is_identical else "no"),
        )
        lines.append(show(f"| {' | '.join(map(str, cells))} |"))
    subprocess.run(build_command(folder), check=True, env=build_environment())
    is_same = compare_ends(folder, whole, digests)
    lines.append(show(f"| end | step {STEPS} | | | | | {'yes' if is_same else 'no'} |"))
    return lines, is_exact and is_same


def show(line: str) -> str:
    """Print a line at once and return it."""
    print(line, flush=True)
    return line


def draw_pictures(folder: Path) -> None:
    """Write 50 small pictures of noise: an epoch ends within every save interval."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(50):
        pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")


def train_undisturbed(folder: Path) -> tuple[Trainer, dict[int, str]]:
    """Train without a break in this process; returns the trainer and a hash of each save."""
    import torch

    from training.__main__ import build_parser
    from training.processes import ALONE
    from training.states import StateStore
    from training.train_setup import start_trainer

    digests: dict[int, str] = {}

    class NotingStore(StateStore):
        def save(self, step: int, state: dict[str, Any]) -> None:
            super().save(step, state)
            digests[step] = hash_state(state)

    torch.set_num_threads(1)
    args = build_parser().parse_args(build_train_flags(folder, "whole"))
    trainer = start_trainer(args, (ALONE, torch.device("cpu")))
    trainer.folder.states = NotingStore(trainer.folder.path)
    if trainer.train().is_set:
        raise KeyboardInterrupt
    return trainer, digests


def kill_once(
    folder: Path, moment: Moment, digests: dict[int, str], whole: Trainer, is_first: bool
) -> Kill:
    """Start or resume the training, kill it at a moment, and look at what is left."""
    from training.runs import RunFolder

    run = RunFolder(folder / "runs" / "killed")
    command = build_command(folder, is_new=is_first)
    before = Leftovers.find(run.path)
    with subprocess.Popen(
        command, env=build_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not is_reached(moment, run.path, before):
            time.sleep(0.0005)
        time.sleep(moment.delay_ms / 1000)
        process.send_signal(signal.SIGKILL)
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError(f"{' '.join(command)} ended by itself with {process.returncode}")
    state = run.states.load()
    step = int(state["step"])
    is_identical = hash_state(state) == digests[step] and (
        read_rows(run.metrics_path, step) == read_rows(whole.folder.metrics_path, step)
    )
    was_saving = bool(Leftovers.find(run.path).saves - before.saves)
    return Kill(moment, read_last_step(run.metrics_path), was_saving, step, is_identical)


@dataclass(frozen=True)
class Leftovers:
    """Hold what a process finds of the one before: half-written states, and the metrics file.

    A resume removes the first and writes the second anew, so that both tell which process it was.
    """

    saves: frozenset[str]
    metrics: int

    @classmethod
    def find(cls, run: Path) -> Leftovers:
        """Look into a run folder."""
        metrics = run / "metrics.jsonl"
        saves = frozenset(path.name for path in run.glob(".state-*.tmp"))
        return cls(saves, metrics.stat().st_ino if metrics.exists() else 0)


def is_reached(moment: Moment, run: Path, before: Leftovers) -> bool:
    """Tell whether this process has logged the moment's step, or has begun to write its state."""
    now = Leftovers.find(run)
    if moment.is_save:
        steps = [int(name.split("-")[1].split(".")[0]) for name in now.saves - before.saves]
        return any(step >= moment.step for step in steps)
    is_ours = now.metrics not in (0, before.metrics)
    return is_ours and read_last_step(run / "metrics.jsonl") >= moment.step


def compare_ends(folder: Path, whole: Trainer, digests: dict[int, str]) -> bool:
    """Tell whether both trainings ended with the same state, metrics and checkpoint."""
    from training.checkpoint import hash_weights
    from training.runs import RunFolder

    run = RunFolder(folder / "runs" / "killed")
    checkpoint = whole.checkpoint_path.with_name("killed.safetensors")
    return (
        hash_state(run.states.load()) == digests[STEPS]
        and read_rows(run.metrics_path, STEPS) == read_rows(whole.folder.metrics_path, STEPS)
        and hash_weights(checkpoint) == hash_weights(whole.checkpoint_path)
    )


def hash_state(state: Any) -> str:
    """Hash a saved state: every tensor's type, shape and bytes, every number; no wall clock."""
    import torch

    digest = hashlib.sha256()

    def add(value: Any, name: str) -> None:
        if isinstance(value, torch.Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)};".encode())
            digest.update(
                value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            )
        elif isinstance(value, dict):
            for key in value:
                if key not in ("seconds", "config"):
                    add(value[key], f"{name}.{key}")
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                add(item, f"{name}[{index}]")
        else:
            digest.update(f"{name} {value!r};".encode())

    add(state, "state")
    return digest.hexdigest()


def read_rows(path: Path, last_step: int) -> list[dict[str, Any]]:
    """Read the metrics up to a step, without what depends on clock and machine."""
    from training.history import MEASURED_FIELDS, read_history

    return [
        {key: value for key, value in row.items() if key not in MEASURED_FIELDS}
        for row in read_history(path)
        if row["step"] <= last_step
    ]


def read_last_step(path: Path) -> int:
    """Return the last step in the metrics, 0 if there is none."""
    from training.history import read_history

    rows = read_history(path)
    return int(rows[-1]["step"]) if rows else 0


def build_train_flags(folder: Path, name: str) -> list[str]:
    """Build the flags of a new training."""
    places = ("--runs", str(folder / "runs"), "--checkpoints", str(folder / "checkpoints"))
    data = ("--data", f"folder:{folder / 'pictures'}", "--name", name)
    return ["train", *data, *OPTIONS, *places]


def build_command(folder: Path, is_new: bool = False) -> list[str]:
    """Build the command that starts the training that is killed, or goes on with it."""
    resume = ["train", "--resume", str(folder / "runs" / "killed")]
    flags = build_train_flags(folder, "killed") if is_new else resume
    return [sys.executable, "-m", "training", *flags]


def build_environment() -> dict[str, str]:
    """Return an environment in which the package is found."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def update_page(page: Path, text: str) -> None:
    """Replace what is between the two marks of a page."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page} has no place for the table: put {BEGIN} and {END} in it.")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
