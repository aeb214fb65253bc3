"""The ``train`` command: flags to options, a new run or a resumed one, and how it ends."""

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Any

from training.config import GOALS, PRESETS, TrainConfig, format_range
from training.datasets import DatasetOptions, load_dataset
from training.datasets.cli import add_dataset_arguments, get_dataset_options
from training.devices import select_device
from training.errors import ConfigError
from training.metrics.extractors import get_extractor_spec
from training.models import MODELS, get_model_spec
from training.plan import describe_plan
from training.runs import RunFolder
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
    parser.add_argument("--preset", choices=PRESETS, help=_describe_presets())
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with runs/NAME")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the plan (parameters, memory, epochs) and end"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="run folders (runs)")
    parser.add_argument(
        "--checkpoints",
        type=Path,
        default=Path("checkpoints"),
        help="folder for the best generator (checkpoints)",
    )
    add_dataset_arguments(parser)
    group = parser.add_argument_group("training")
    for item in dataclasses.fields(TrainConfig):
        if item.metadata:
            _add_option(group, item)
    parser.set_defaults(run=run_train)


def run_train(args: argparse.Namespace) -> int:
    """Train as the flags say; returns the exit status (128 + signal number after a signal)."""
    trainer = resume_trainer(args) if args.resume else start_trainer(args)
    if args.dry_run:
        print(describe_plan(trainer))
        return 0
    if args.resume:
        trainer.folder.save_goal(trainer.config)
    else:
        trainer.folder.save_options(
            trainer.config, get_dataset_options(args), args.checkpoints, trainer.command
        )
    print(describe_plan(trainer), file=sys.stderr)
    stop = trainer.train()
    if stop.received is not None:
        print(
            f"Stopped at step {trainer.progress.step}; the state is saved in "
            f"{trainer.folder.path}. Go on with:\n  {trainer.resume_command}"
        )
        return 128 + stop.received
    print(
        f"Done: {trainer.progress.step} steps, {trainer.progress.images_seen:,} images, "
        f"{trainer.progress.seconds / 60:.1f} minutes. Checkpoint: {trainer.checkpoint_path}"
    )
    return 0


def start_trainer(args: argparse.Namespace) -> Trainer:
    """Build the trainer of a new run; raises ConfigError if its files exist already."""
    for flag in ("model", "data", "name"):
        if getattr(args, flag) is None:
            raise ConfigError(
                f"--{flag} is missing: a new run needs --model, --data and --name "
                "(or go on with an old one by --resume runs/NAME)."
            )
    get_model_spec(args.model)
    chosen = _collect_options(args)
    goals = [goal for goal in GOALS if goal in chosen]
    preset = PRESETS[args.preset] if args.preset else {}
    if goals:
        preset = {key: value for key, value in preset.items() if key not in GOALS}
    config = TrainConfig(args.model, args.data, args.name, **{**preset, **chosen}).resolve()
    folder = RunFolder(args.runs / config.name)
    checkpoint_path = args.checkpoints / f"{config.name}.safetensors"
    if folder.state_path.exists():
        raise ConfigError(
            f"{folder.path} exists already: choose another --name, or go on with it by "
            f"--resume {folder.path}."
        )
    if checkpoint_path.exists():
        raise ConfigError(
            f"{checkpoint_path} exists already and is of another run: choose another --name or "
            "move the file away."
        )
    command = "python -m training " + shlex.join(sys.argv[1:])
    return _build_trainer(config, get_dataset_options(args), folder, checkpoint_path, command)


def resume_trainer(args: argparse.Namespace) -> Trainer:
    """Build the trainer of a saved run at its saved step; only the goal may change."""
    folder = RunFolder(args.resume)
    config, dataset, checkpoints, command = folder.load_options()
    chosen = _collect_options(args)
    other = sorted({*chosen, *_collect_fixed_options(args)} - {*GOALS, "device"})
    if other:
        raise ConfigError(
            f"A resumed run keeps its options, but {_get_flag(other[0])} was given: "
            "only --steps, --kimg, --minutes and --device may change."
        )
    if any(goal in chosen for goal in GOALS):
        chosen = {**dict.fromkeys(GOALS), **chosen}
    config = dataclasses.replace(config, **chosen)
    checkpoint_path = checkpoints / f"{config.name}.safetensors"
    trainer = _build_trainer(config, dataset, folder, checkpoint_path, command)
    trainer.resume()
    if trainer.is_done:
        raise ConfigError(
            f"{folder.path} has reached its goal at step {trainer.progress.step}: give a later one "
            "with --steps, --kimg or --minutes."
        )
    return trainer


def _build_trainer(
    config: TrainConfig,
    options: DatasetOptions,
    folder: RunFolder,
    checkpoint_path: Path,
    command: str,
) -> Trainer:
    device = select_device(config.device)
    # What is unknown or cannot be built should fail before images are decoded.
    get_extractor_spec(config.extractor)
    config.build_model_config(options.channels, options.resolution)
    dataset = load_dataset(config.data, options)
    return Trainer(config, dataset, folder, checkpoint_path, command, device, options.cache_dir)


def _collect_options(args: argparse.Namespace) -> dict[str, Any]:
    names = {item.name for item in dataclasses.fields(TrainConfig) if item.metadata}
    return {name: value for name, value in vars(args).items() if name in names}


def _collect_fixed_options(args: argparse.Namespace) -> list[str]:
    """Name the flags given that say what a run is and which images it learns."""
    identity = [name for name in ("model", "data", "name", "preset") if getattr(args, name)]
    found, defaults = get_dataset_options(args), DatasetOptions()
    names = (item.name for item in dataclasses.fields(DatasetOptions))
    return identity + [name for name in names if getattr(found, name) != getattr(defaults, name)]


def _get_flag(name: str) -> str:
    return "--mirror" if name == "is_mirrored" else f"--{name.replace('_', '-')}"


def _add_option(group: "argparse._ArgumentGroup", item: "dataclasses.Field[Any]") -> None:
    facts = item.metadata
    flag, text = _get_flag(item.name), facts["help"]
    if facts["kind"] is bool:
        group.add_argument(
            flag, dest=item.name, action="store_true", default=argparse.SUPPRESS, help=text
        )
        return
    if facts["kind"] in (int, float):
        text += f"; {format_range(facts)}"
    if item.default is not None:
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


def _describe_presets() -> str:
    texts = (
        f"{name}: " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())
        for name, values in PRESETS.items()
    )
    return "; ".join(texts)
