"""Run folders: runs/<name>/ with options, states, metrics, samples, snapshots and TensorBoard."""

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.checkpoint import SUFFIX
from training.config import GOALS, TrainConfig
from training.datasets import DatasetOptions, ImageDataset
from training.errors import CheckpointError, ConfigError
from training.files import explain_write_errors, write_text
from training.history import truncate_history
from training.locks import lock_run
from training.states import StateStore

# 1 had the checkpoints' folder as it was given, relative to where the command ran.
RUN_FORMAT_VERSION = 2
# What a resume may change: how far to go, how often to keep and show something, where to compute,
# and what to do when that fails. None of it changes what is learned, but a later goal does where
# --lr-decay ends it, and saves of other steps do where a rewind goes back to one.
CHANGEABLE = (
    *(*GOALS, "score_every", "save_every", "grid_every", "histograms_every", "projector"),
    *("device", "cuda_graph", "on_nan"),
)
# Where files are may change too: images are known by their fingerprint, a checkpoint by its run.
MOVABLE = ("data", "data_root", "cache_dir", "checkpoints")
# A step of more than seven digits makes the name longer.
STEP_NAME = re.compile(r"step-(\d{7,12})(\.\w+)")


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Hold how a run was started: options, images, the checkpoints' folder, command and id.

    The id is noted in the run's checkpoint; runs of earlier versions have none ("").
    """

    config: TrainConfig
    dataset: DatasetOptions
    checkpoints: Path
    command: str
    run_id: str = ""

    @property
    def checkpoint_path(self) -> Path:
        """Return where the run's best generator is, or will be."""
        return self.checkpoints / f"{self.config.name}{SUFFIX}"


class RunFolder:
    """Name the files of a run and read and write its options."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.options_path = path / "options.json"
        self.states = StateStore(path)
        self.metrics_path = path / "metrics.jsonl"
        self.snapshots = path / "snapshots"
        self.samples = path / "samples"
        self.tensorboard = path / "tensorboard"

    def save_options(self, options: RunOptions) -> None:
        """Write how the run was started; the checkpoints' folder as seen from the run's."""
        values = {
            "format_version": RUN_FORMAT_VERSION,
            "run_id": options.run_id,
            "config": options.config.to_dict(),
            "dataset": _pack_dataset_options(options.dataset),
            "checkpoints": _locate(options.checkpoints.resolve(), self.path.resolve()),
            "command": options.command,
        }
        with explain_write_errors(self.options_path):
            write_text(self.options_path, json.dumps(values, indent=2) + "\n")

    def load_options(self) -> RunOptions:
        """Read how the run was started; raises CheckpointError if that is missing or damaged."""
        if not self.options_path.is_file():
            raise CheckpointError(
                f"There is no run in {self.path} ({self.options_path.name} is missing): give the "
                "folder that `python -m training train` printed, such as runs/my-run."
            )
        here = Path.cwd()
        try:
            values = json.loads(self.options_path.read_text(encoding="utf-8"))
            config = TrainConfig.from_dict(values["config"])
            dataset = _unpack_dataset_options(values["dataset"])
            checkpoints = Path(values["checkpoints"])
            if values.get("format_version") != 1:
                found = (self.path.resolve() / checkpoints).resolve()
                checkpoints = found.relative_to(here) if found.is_relative_to(here) else found
            return RunOptions(
                config, dataset, checkpoints, str(values["command"]), str(values.get("run_id", ""))
            )
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            raise CheckpointError(
                f"{self.options_path} is damaged ({type(error).__name__}: {error}): expected the "
                "JSON that `python -m training train` wrote; start a new run."
            ) from error

    def lock(self) -> AbstractContextManager[None]:
        """Hold the run while a ``with`` block runs; raises CheckpointError if another does."""
        return lock_run(self.path / "lock")

    def get_grid_path(self, step: int) -> Path:
        """Return where the grid of samples of a step is, or would be."""
        return self.samples / f"step-{step:07d}.png"

    def list_grids(self) -> dict[int, Path]:
        """List the grids of samples there are, by growing step."""
        return _list_steps(self.samples, ".png")

    def list_snapshots(self) -> dict[int, Path]:
        """List the averaged generators kept on the way, by growing step."""
        return _list_steps(self.snapshots, SUFFIX)

    def check_config(self, config: TrainConfig, saved: Mapping[str, Any]) -> None:
        """Raise CheckpointError if options differ from those of a saved state.

        What a resume may change is free, and so is the place of the images: their fingerprint is
        compared. States of earlier versions (``saved`` is empty) tell no options.
        """
        if not saved:
            return
        try:
            trained = TrainConfig.from_dict(saved).resolve().to_dict()
        except (ConfigError, TypeError) as error:
            raise CheckpointError(
                f"The saved state in {self.path} is of another version of this program: {error}"
            ) from error
        for name, found in config.resolve().to_dict().items():
            if name not in (*CHANGEABLE, "data") and found != trained[name]:
                raise CheckpointError(
                    f"{self.options_path} says {name} {found!r}, but the saved state was trained "
                    f"with {trained[name]!r}: put that back, or start a new run."
                )

    def check_dataset(
        self, dataset: ImageDataset, label_names: Iterable[str], saved: Mapping[str, Any]
    ) -> None:
        """Raise CheckpointError if images or labels are not those that a saved state learned.

        States of earlier versions do not tell which image had which label.
        """
        if saved["dataset_fingerprint"] != dataset.fingerprint:
            raise CheckpointError(
                f"{self.path} was trained on other images (fingerprint "
                f"{saved['dataset_fingerprint']}, found {dataset.fingerprint}): give the same "
                "data, or start a new run."
            )
        known, found = saved.get("label_fingerprints", {}), dataset.fingerprint_labels()
        for name in label_names:
            if known.get(name, found[name]) != found[name]:
                raise CheckpointError(
                    f"{self.path} was trained with other labels: the images' {name} has changed "
                    "since. Put it back, or start a new run."
                )

    def warn_of_changes(
        self, precision: str, device: str, num_processes: int, saved: Mapping[str, Any]
    ) -> None:
        """Say on stderr if a saved state goes on in another precision, or number of processes.

        States of earlier versions do not tell them.
        """
        changes = []
        before = saved.get("precision", precision)
        if before != precision:
            changes.append(
                f"was trained in {before} so far, and goes on in {precision}, which is what "
                f"--precision auto means on {device}"
            )
        num_before = saved.get("num_processes", num_processes)
        if num_before != num_processes:
            changes.append(
                f"was trained by {_count_processes(num_before)} so far, and goes on in "
                f"{_count_processes(num_processes)}, which round and draw their noise otherwise"
            )
        for change in changes:
            print(
                f"warning: {self.path} {change}: its numbers will not be those of a training "
                "without a break.",
                file=sys.stderr,
            )

    def keep_changes(self, options: RunOptions) -> None:
        """Write what a resume changes to the options, so that the next one goes on with it.

        Its device is not kept: the run may go on elsewhere.
        """
        before = self.load_options()
        names = {*CHANGEABLE, "data"} - {"device"}
        changes = {name: getattr(options.config, name) for name in names}
        after = dataclasses.replace(options, config=dataclasses.replace(before.config, **changes))
        if after != before:
            self.save_options(after)

    def truncate(self, step: int, has_open_losses: bool = False) -> None:
        """Drop what is of steps after ``step``, metrics, grids and snapshots: it was not saved."""
        truncate_history(self.metrics_path, step, has_open_losses)
        for files in (self.list_grids(), self.list_snapshots()):
            for found, path in files.items():
                if found > step:
                    path.unlink()


def _locate(path: Path, start: Path) -> str:
    """Name a path as seen from a folder: both may be moved together, or mounted elsewhere."""
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:  # on another drive of Windows
        return str(path)


def _count_processes(num: int) -> str:
    return "one process" if num == 1 else f"{num} processes"


def _list_steps(folder: Path, suffix: str) -> dict[int, Path]:
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = STEP_NAME.fullmatch(path.name)
        if match and match[2] == suffix:
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def _pack_dataset_options(options: DatasetOptions) -> dict[str, Any]:
    values = asdict(options).items()
    return {key: str(value) if isinstance(value, Path) else value for key, value in values}


def _unpack_dataset_options(values: dict[str, Any]) -> DatasetOptions:
    paths = {key: Path(values[key]) for key in ("data_root", "cache_dir") if values.get(key)}
    crop = tuple(values["crop"]) if values.get("crop") else None
    names = tuple((label, value, name) for label, value, name in values.get("value_names", ()))
    return DatasetOptions(**{**values, **paths, "crop": crop, "value_names": names})
