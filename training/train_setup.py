"""From the flags of the ``train`` command to a trainer: of a new run, or of one that goes on."""

import argparse
import dataclasses
import shlex
import sys
import uuid
from pathlib import Path
from typing import Any, TypeAlias

import torch

from training.config import GOALS, TrainConfig
from training.datasets import DatasetOptions, load_dataset
from training.datasets.cli import get_dataset_options
from training.errors import ConfigError
from training.labels import NO_LABELS, ClassLabel, LabelLayout
from training.metrics.extractors import get_extractor_spec
from training.models import get_model_spec
from training.options import get_flag
from training.presets import get_preset
from training.processes import Processes, check_shares
from training.runs import CHANGEABLE, MOVABLE, RunFolder, RunOptions
from training.trainer import Trainer

Place: TypeAlias = tuple[Processes, torch.device]

DEFAULT_RUNS, DEFAULT_CHECKPOINTS = Path("runs"), Path("checkpoints")
ANY_LABELS = LabelLayout((ClassLabel("any", ("a", "b"), (0.5, 0.5)),))


def start_trainer(args: argparse.Namespace, place: Place) -> Trainer:
    """Build the trainer of a new run; raises ConfigError if its files exist already."""
    for flag in ("model", "data", "name"):
        if getattr(args, flag) is None:
            raise ConfigError(
                f"--{flag} is missing: a new run needs --model, --data and --name "
                "(or go on with an old one by --resume runs/NAME)."
            )
    config = build_config(args)
    folder = RunFolder((args.runs or DEFAULT_RUNS) / config.name)
    command = "python -m training " + shlex.join(sys.argv[1:])
    checkpoints, images = args.checkpoints or DEFAULT_CHECKPOINTS, get_dataset_options(args)
    run = RunOptions(config, images, checkpoints, command, uuid.uuid4().hex)
    check_is_new(folder, run.checkpoint_path)
    return _build_trainer(run, folder, place)


def build_config(args: argparse.Namespace) -> TrainConfig:
    """Build the options of a new run: the model's own, then the preset's, then those given."""
    get_model_spec(args.model)
    chosen = _collect_options(args)
    preset = get_preset(args.preset, args.model) if args.preset else {}
    if any(goal in chosen for goal in GOALS):
        preset = {key: value for key, value in preset.items() if key not in GOALS}
    return TrainConfig(args.model, args.data, args.name, **{**preset, **chosen}).resolve()


def check_is_new(folder: RunFolder, checkpoint_path: Path) -> None:
    """Raise ConfigError if a new run would overwrite what another one made."""
    if folder.states.list_paths():
        raise ConfigError(
            f"{folder.path} exists already: choose another --name, or go on with it by "
            f"--resume {folder.path}."
        )
    if checkpoint_path.exists():
        raise ConfigError(
            f"{checkpoint_path} exists already and is of another run: choose another --name or "
            "move the file away."
        )


def resume_trainer(args: argparse.Namespace, place: Place) -> Trainer:
    """Build the trainer of a saved run at its saved step.

    Only CHANGEABLE options may change, and the places of images and checkpoint. Raises ConfigError
    if another one does, or if the run is done and --projector is not given.
    """
    folder = RunFolder(args.resume)
    run = folder.load_options()
    chosen = _collect_options(args)
    other = sorted({*chosen, *_collect_fixed_options(args)} - {*CHANGEABLE, *MOVABLE})
    if other:
        *flags, last = map(_get_flag, (*CHANGEABLE, *MOVABLE))
        raise ConfigError(
            f"A resumed run keeps its options, but {_get_flag(other[0])} was given: "
            f"only {', '.join(flags)} and {last} may change."
        )
    if any(goal in chosen for goal in GOALS):
        chosen = {**dict.fromkeys(GOALS), **chosen}
    if args.data:
        chosen["data"] = args.data
    run = dataclasses.replace(
        run,
        config=dataclasses.replace(run.config, **chosen),
        dataset=move_images(run.dataset, args),
        checkpoints=args.checkpoints or run.checkpoints,
    )
    trainer = _build_trainer(run, folder, place)
    trainer.resume()
    if trainer.is_done and not chosen.get("projector"):
        raise ConfigError(
            f"{folder.path} has reached its goal at step {trainer.progress.step}: give a later one "
            "with --steps, --kimg or --minutes, or --projector for an embedding of its images."
        )
    return trainer


def move_images(dataset: DatasetOptions, args: argparse.Namespace) -> DatasetOptions:
    """Return a run's options of its images with the places that a resume names."""
    found = get_dataset_options(args)
    return dataclasses.replace(
        dataset,
        data_root=found.data_root or dataset.data_root,
        cache_dir=found.cache_dir or dataset.cache_dir,
    )


def _build_trainer(run: RunOptions, folder: RunFolder, place: Place) -> Trainer:
    config, options = run.config, run.dataset
    processes, device = place
    # What is unknown or cannot be built should fail before images are decoded.
    get_extractor_spec(config.extractor)
    # Its labels are known only with the data set: any do, to see that the networks can be built.
    labels = ANY_LABELS if get_model_spec(config.model).has_labels else NO_LABELS
    config.build_model_config(options.channels, options.resolution, labels)
    check_shares(config, processes.num)
    with processes.main_first():
        dataset = load_dataset(config.data, options)
    return Trainer(run, dataset, folder, device, processes)


def _collect_options(args: argparse.Namespace) -> dict[str, Any]:
    names = {item.name for item in dataclasses.fields(TrainConfig) if item.metadata}
    return {name: value for name, value in vars(args).items() if name in names}


def _collect_fixed_options(args: argparse.Namespace) -> list[str]:
    """Name the flags given that say what a run is and which images it learns."""
    own = ("model", "data", "name", "preset", "runs", "checkpoints")
    identity = [name for name in own if getattr(args, name)]
    found, defaults = get_dataset_options(args), DatasetOptions()
    names = (item.name for item in dataclasses.fields(DatasetOptions))
    return identity + [name for name in names if getattr(found, name) != getattr(defaults, name)]


def _get_flag(name: str) -> str:
    flags = {item.name: get_flag(item) for item in dataclasses.fields(TrainConfig)}
    return flags.get(name, f"--{name.replace('_', '-')}")
