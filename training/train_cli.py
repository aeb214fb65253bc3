"""The ``train`` command: its flags, a new run or a resumed one, and how it ends."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from training.config import TrainConfig
from training.datasets.cli import add_dataset_arguments
from training.footprint import check_memory
from training.label_options import LabelOptions
from training.models import MODELS
from training.options import format_range, get_flag
from training.plan import describe_plan
from training.presets import PRESETS, describe_presets
from training.processes import join_processes
from training.runs import RunFolder
from training.techniques import TechniqueOptions
from training.train_setup import (
    DEFAULT_CHECKPOINTS,
    DEFAULT_RUNS,
    Place,
    check_is_new,
    resume_trainer,
    start_trainer,
)
from training.trainer import Trainer

EXAMPLES = """examples:
  python -m training train --model wgan_gp --data avatars --name my-first --preset quick
  python -m training train --model wgan_gp --data folder:photos.zip --name photos --minutes 60
  python -m training train --resume runs/my-first --steps 20000
"""


def add_train_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``train`` with one flag per field of TrainConfig."""
    parser = subparsers.add_parser(
        "train",
        help="train a model on a data set",
        description="Train a model; the best generator lands in the checkpoint folder.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", help=f"one of {', '.join(MODELS)}")
    parser.add_argument(
        "--data", help="data set, such as avatars, mnist or folder:PATH (see `datasets`)"
    )
    parser.add_argument("--name", help="name of the run and of its checkpoint")
    parser.add_argument("--preset", choices=PRESETS, help=describe_presets())
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with runs/NAME")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="prepare the images, print the plan (parameters, memory, steps) and end",
    )
    parser.add_argument("--runs", type=Path, help=f"run folders ({DEFAULT_RUNS})")
    parser.add_argument(
        "--checkpoints",
        type=Path,
        help=f"folder for the best generator ({DEFAULT_CHECKPOINTS})",
    )
    add_dataset_arguments(parser)
    titles = ("training", "techniques", "labels (label_gan)")
    training, techniques, labels = map(parser.add_argument_group, titles)
    groups = {item.name: techniques for item in dataclasses.fields(TechniqueOptions)}
    groups |= {item.name: labels for item in dataclasses.fields(LabelOptions)}
    for item in dataclasses.fields(TrainConfig):
        if item.metadata:
            _add_option(groups.get(item.name, training), item)
    parser.set_defaults(run=run_train)


def run_train(args: argparse.Namespace) -> int:
    """Train as the flags say; returns the exit status (128 + signal number after a signal)."""
    with join_processes(_get_device_name(args)) as place:
        if args.dry_run:
            trainer = resume_trainer(args, place) if args.resume else start_trainer(args, place)
            if place[0].is_main:
                print(describe_plan(trainer))
                check_memory(trainer.engine, trainer.device, place[0].num, bool(args.resume))
            return 0
        return _run_resumed(args, place) if args.resume else _run_new(args, place)


def _get_device_name(args: argparse.Namespace) -> str:
    if "device" in args or not args.resume:
        return str(getattr(args, "device", "auto"))
    return RunFolder(args.resume).load_options().config.device


def _run_new(args: argparse.Namespace, place: Place) -> int:
    processes, _ = place
    trainer = start_trainer(args, place)
    processes.wait()  # all have seen that the run is new before the main one begins to write
    if not processes.is_main:
        return _train(trainer, is_main=False)
    with trainer.folder.lock():
        check_is_new(trainer.folder, trainer.checkpoint_path)  # again: it is ours only now
        trainer.folder.save_options(trainer.options)
        return _train(trainer, is_main=True)


def _run_resumed(args: argparse.Namespace, place: Place) -> int:
    processes, _ = place
    folder = RunFolder(args.resume)
    folder.load_options()  # a folder without a run is not to be locked
    if not processes.is_main:
        return _train(resume_trainer(args, place), is_main=False)
    with folder.lock():
        trainer = resume_trainer(args, place)
        trainer.check_files()  # before what was given for them is kept
        folder.keep_changes(trainer.options)
        return _train(trainer, is_main=True)


def _train(trainer: Trainer, is_main: bool) -> int:
    """Train, and let the main process say what comes and how it ended."""
    if is_main:
        print(describe_plan(trainer), file=sys.stderr)
    if trainer.is_done:
        return _embed(trainer, is_main)
    stop = trainer.train()
    is_done = trainer.is_done
    if not is_main:
        return 0
    if stop.received is not None and not is_done:
        print(
            f"Stopped at step {trainer.progress.step}; the state is saved in "
            f"{trainer.folder.path}. Go on with:\n  {trainer.resume_command}"
        )
        return 128 + stop.received
    path = trainer.checkpoint_path
    checkpoint = f"Checkpoint: {path}"
    if not path.exists():
        checkpoint = (
            f"There is no checkpoint at {path}: it was moved away, and no later score beat it"
        )
    print(
        f"Done: {trainer.progress.step} steps, {trainer.progress.images_seen:,} images, "
        f"{trainer.progress.seconds / 60:.1f} minutes. {checkpoint}"
    )
    return 0


def _embed(trainer: Trainer, is_main: bool) -> int:
    """Write what --projector asks for of a run that is done, and let the main process say so."""
    received, place = trainer.write_embedding(), trainer.folder.tensorboard
    if received is not None:
        print(f"Stopped before the embedding was there: {place} shows what it did before.")
        return 128 + received
    if is_main:
        count = min(trainer.config.projector, len(trainer.dataset))
        print(
            f"The run was done at step {trainer.progress.step} already. Its embedding of {count:,} "
            f"generated and as many real images is in {place}: see TensorBoard's Projector tab."
        )
    return 0


def _add_option(group: "argparse._ArgumentGroup", item: "dataclasses.Field[Any]") -> None:
    facts = item.metadata
    flag, text = get_flag(item), facts["help"]
    if facts["kind"] is bool:
        # With its opposite, for what a preset has turned on.
        group.add_argument(
            flag,
            dest=item.name,
            action=argparse.BooleanOptionalAction,
            default=argparse.SUPPRESS,
            help=text,
        )
        return
    if facts["kind"] in (int, float):
        text += f"; {format_range(facts)}"
    if item.default not in (None, ""):
        text += f" (default {item.default})"
    group.add_argument(
        flag,
        dest=item.name,
        type=facts["kind"],
        choices=facts["choices"] or None,
        default=argparse.SUPPRESS,
        metavar=None if facts["choices"] else facts["kind"].__name__.upper(),
        help=text,
    )
