"""Trainings that studies are made of: begun, gone on with after a stop, and scored at the end."""

import argparse
import dataclasses
import json
import re
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from training.config import TrainConfig
from training.datasets import DatasetOptions, ImageDataset
from training.devices import select_device
from training.files import write_text
from training.runs import RunFolder, RunOptions
from training.scoring import TrainingScore, TrainingScorer
from training.signals import StopSignal
from training.trainer import Trainer

START, END = "<!-- results -->", "<!-- end -->"
ROOT = Path(__file__).resolve().parent.parent

Case = TypeVar("Case")


class StopError(Exception):
    """Say that a signal ended the work; its number is the argument."""


def build_parser(
    description: str | None, keys: Sequence[str], seeds: Sequence[int], kimg: float, kimg_help: str
) -> argparse.ArgumentParser:
    """Build the command line of a study: which rows and seeds, how long, on what, or the table."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--only", nargs="+", choices=keys, metavar="ROW", help=f"rows: {', '.join(keys)}"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=list(seeds), metavar="SEED")
    parser.add_argument("--kimg", type=float, default=kimg, help=kimg_help)
    parser.add_argument("--device", default="auto", help="as of `python -m training train`")
    parser.add_argument("--table", action="store_true", help="train nothing, write the page")
    return parser


def run_each(cases: Iterable[Case], run: Callable[[Case], None]) -> int:
    """Run case after case; returns 0, or the exit status of the signal that ended the work."""
    try:
        for case in cases:
            run(case)
    except StopError as stopped:
        return 128 + int(stopped.args[0])
    except KeyboardInterrupt:  # between trainings, where there is nothing to save
        return 128 + signal.SIGINT
    return 0


def open_trainer(
    config: TrainConfig,
    dataset: ImageDataset,
    options: DatasetOptions,
    runs: Path,
    command: str,
    device: str,
) -> Trainer:
    """Build the trainer of a run named as the config says, at its saved step if it was begun."""
    folder = RunFolder(runs / config.name)
    run = RunOptions(config, options, runs / "checkpoints", command)
    trainer = Trainer(run, dataset, folder, select_device(device))
    if folder.states.list_paths():
        trainer.resume()
    else:
        folder.save_options(run)
    return trainer


def finish_training(trainer: Trainer) -> None:
    """Train until the goal; a signal saves and raises StopError."""
    if not trainer.is_done:
        check_signal(trainer.train())


def score_generator(trainer: Trainer, generator: nn.Module, num_samples: int) -> TrainingScore:
    """Score a generator by many samples; a signal raises StopError."""
    config = dataclasses.replace(trainer.config, score_samples=num_samples)
    labels = trainer.labels
    scorer = TrainingScorer(
        config, trainer.dataset, trainer.device, ROOT / "checkpoints", None, labels=labels
    )
    with StopSignal() as stop:
        found = scorer.score(generator, lambda: stop.is_set, trainer.engine.discriminator)
        check_signal(stop)
    assert found is not None  # a score is left out only after a signal
    return found


def check_signal(stop: StopSignal) -> None:
    """Raise StopError if a signal was received."""
    if stop.received is not None:
        raise StopError(int(stop.received))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a file, one object each; none if there is no file."""
    if not path.is_file():
        return []
    texts = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(text) for text in texts if text.strip()]


def append_json_line(path: Path, line: dict[str, Any]) -> None:
    """Add a line, the file whole or as it was."""
    lines = [*read_json_lines(path), line]
    write_text(path, "".join(json.dumps(item) + "\n" for item in lines))


def write_results(page: Path, part: str) -> None:
    """Put the results between their marks on a page."""
    text = page.read_text(encoding="utf-8")
    pattern = re.escape(START) + ".*?" + re.escape(END)
    body = f"{START}\n\n{part}\n\n{END}"
    write_text(page, re.sub(pattern, lambda _: body, text, flags=re.DOTALL))
