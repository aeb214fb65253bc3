"""Run folders: runs/<name>/ with options, state, metrics, samples, snapshots and TensorBoard."""

import io
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from training.config import GOALS, TrainConfig
from training.datasets import DatasetOptions
from training.errors import CheckpointError, ConfigError
from training.files import write_bytes, write_text
from training.history import read_history

RUN_FORMAT_VERSION = 1
# A step of more than seven digits makes the name longer.
GRID_NAME = re.compile(r"step-(\d{7,12})\.png")


class RunFolder:
    """Name the files of a run and read and write its options and state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.options_path = path / "options.json"
        self.state_path = path / "state.pt"
        self.metrics_path = path / "metrics.jsonl"
        self.snapshots = path / "snapshots"
        self.samples = path / "samples"
        self.tensorboard = path / "tensorboard"

    def save_options(
        self, config: TrainConfig, dataset: DatasetOptions, checkpoints: Path, command: str
    ) -> None:
        """Write how the run was started."""
        values = {
            "format_version": RUN_FORMAT_VERSION,
            "config": config.to_dict(),
            "dataset": _pack_dataset_options(dataset),
            "checkpoints": str(checkpoints),
            "command": command,
        }
        write_text(self.options_path, json.dumps(values, indent=2) + "\n")

    def load_options(self) -> tuple[TrainConfig, DatasetOptions, Path, str]:
        """Read options, data set options, checkpoint folder and first command of the run."""
        if not self.options_path.is_file():
            raise CheckpointError(
                f"There is no run in {self.path} ({self.options_path.name} is missing): give the "
                "folder that `python -m training train` printed, such as runs/my-run."
            )
        try:
            values = json.loads(self.options_path.read_text(encoding="utf-8"))
            config = TrainConfig.from_dict(values["config"])
            dataset = _unpack_dataset_options(values["dataset"])
            return config, dataset, Path(values["checkpoints"]), str(values["command"])
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            raise CheckpointError(
                f"{self.options_path} is damaged ({type(error).__name__}: {error}): expected the "
                "JSON that `python -m training train` wrote; start a new run."
            ) from error

    def save_goal(self, config: TrainConfig) -> None:
        """Write the goal of a resumed run into its options; all other options stay."""
        values = json.loads(self.options_path.read_text(encoding="utf-8"))
        values["config"].update({goal: getattr(config, goal) for goal in GOALS})
        write_text(self.options_path, json.dumps(values, indent=2) + "\n")

    def get_grid_path(self, step: int) -> Path:
        """Return where the grid of samples of a step is, or would be."""
        return self.samples / f"step-{step:07d}.png"

    def list_grids(self) -> dict[int, Path]:
        """List the grids of samples there are, by growing step."""
        found = {}
        for path in self.samples.glob("step-*.png") if self.samples.is_dir() else ():
            match = GRID_NAME.fullmatch(path.name)
            if match:
                found[int(match[1])] = path
        return dict(sorted(found.items()))

    def save_state(self, state: dict[str, Any]) -> None:
        """Write the full training state, whole or not at all."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_bytes(self.state_path, buffer.getbuffer())

    def load_state(self) -> dict[str, Any]:
        """Read the full training state; no code in the file is run."""
        if not self.state_path.is_file():
            raise CheckpointError(
                f"{self.path} holds no saved state: the run ended before its first save; "
                "start it again with the command that began it."
            )
        try:
            state = torch.load(self.state_path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, OSError, KeyError) as error:
            raise CheckpointError(
                f"{self.state_path} is damaged ({type(error).__name__}): expected the state that "
                "training wrote; start a new run."
            ) from error
        return dict(state)

    def truncate_history(self, step: int) -> None:
        """Drop metrics and grids of steps after ``step``: they are of work that was not saved."""
        rows = [row for row in read_history(self.metrics_path) if row["step"] <= step]
        write_text(self.metrics_path, "".join(json.dumps(row) + "\n" for row in rows))
        for grid_step, path in self.list_grids().items():
            if grid_step > step:
                path.unlink()


def _pack_dataset_options(options: DatasetOptions) -> dict[str, Any]:
    values = asdict(options).items()
    return {key: str(value) if isinstance(value, Path) else value for key, value in values}


def _unpack_dataset_options(values: dict[str, Any]) -> DatasetOptions:
    paths = {key: Path(values[key]) for key in ("data_root", "cache_dir") if values.get(key)}
    crop = tuple(values["crop"]) if values.get("crop") else None
    return DatasetOptions(**{**values, **paths, "crop": crop})
