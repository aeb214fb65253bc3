"""What a training keeps on disk: the best generator, snapshots and resumable states."""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.checkpoint import (
    CheckpointHeader,
    load_generator,
    load_header,
    save_generator,
)
from training.config import TrainConfig
from training.datasets import ImageDataset
from training.errors import CheckpointError
from training.files import check_writable, explain_write_errors, remove_leftovers
from training.health import check_state
from training.history import Row, read_history, select_scores
from training.place_names import shorten_place
from training.progress import Progress
from training.runs import RunFolder
from training.state import TrainingState
from training.step import AdversarialStep


class TrainingKeeper:
    """Write the files of one training; of several processes, the main one has it."""

    def __init__(
        self,
        config: TrainConfig,
        engine: AdversarialStep,
        dataset: ImageDataset,
        folder: RunFolder,
        checkpoint_path: Path,
        facts: dict[str, Any],
        num_processes: int = 1,
    ) -> None:
        """``facts`` on device, precision and command are noted in every checkpoint."""
        self._config, self._engine, self._dataset = config, engine, dataset
        self._num_processes = num_processes
        self._own_folders = (folder.path, folder.snapshots, folder.samples)
        self._folder, self._checkpoint_path, self._facts = folder, checkpoint_path, facts

    def check_places(self) -> None:
        """Raise ProjectError if a file could not be written later, or is of another run."""
        for folder in (*self._own_folders, self._checkpoint_path.parent):
            check_writable(folder)
        self.check_is_own()

    def prepare(self) -> None:
        """Check all places, tidy up after a crash, and warn if the best checkpoint is missing."""
        self.check_places()
        for folder in self._own_folders:
            remove_leftovers(folder)
        remove_leftovers(self._checkpoint_path.parent, self._checkpoint_path.name)
        is_expected = self.list_scores() or (
            not self._config.score_every and self._folder.states.list_paths()
        )
        if is_expected and not self._checkpoint_path.exists():
            print(
                f"warning: the best generator so far is not at {self._checkpoint_path}: of a run "
                "with scores a later one is written there only if it is better. Where the file was "
                "moved, --checkpoints FOLDER says where to.",
                file=sys.stderr,
            )

    def check_is_own(self) -> None:
        """Raise CheckpointError if the checkpoint there is tells of another run, or is damaged.

        Runs of earlier versions have no id, and neither have their checkpoints.
        """
        if not self._checkpoint_path.is_file():
            return
        try:
            found = load_header(self._checkpoint_path).training.get("run_id")
        except CheckpointError as error:
            problem = f"cannot be read ({error})"
        else:
            if found == self._facts.get("run_id"):
                return
            problem = "is of another run"
        raise CheckpointError(
            f"{self._checkpoint_path} {problem}, and is not overwritten: move it away, or go on "
            f"with another folder: --resume {self._folder.path} --checkpoints FOLDER."
        )

    def save_state(self, state: TrainingState) -> None:
        """Write a resumable state, and without scores the checkpoint: the latest is the best.

        Raises DivergenceError, before anything is written, if a number is not finite.
        """
        values, step = state.state_dict(), state.progress.step
        check_state(values["engine"], step)
        origin = {
            "config": self._config.to_dict(),
            "dataset_fingerprint": self._dataset.fingerprint,
            "label_fingerprints": self._dataset.fingerprint_labels(),
            "precision": self._facts["precision"],
            "num_processes": self._num_processes,
        }
        self._folder.states.save(step, {**values, **origin})
        if self._keeps_latest():
            self.check_is_own()
            generator = state.engine.generator_ema
            self._save_checkpoint(self._checkpoint_path, state.progress, generator, [])

    def is_latest_kept(self, step: int) -> bool:
        """Tell whether the generator of the last step is kept, where no score chooses one."""
        if not self._keeps_latest():
            return True
        try:
            return load_header(self._checkpoint_path).training.get("step") == step
        except CheckpointError:
            return False

    def load_state(self) -> dict[str, Any]:
        """Read the newest state that is whole; see `StateStore.load`."""
        return self._folder.states.load()

    def save_snapshot(self, progress: Progress) -> None:
        """Write the averaged generator as it is at this step, with the scores so far."""
        path = self._folder.snapshots / f"step-{progress.step:07d}.safetensors"
        self._save_checkpoint(path, progress, self._engine.generator_ema, self.list_scores())

    def save_if_best(self, progress: Progress, generator: nn.Module, row: Row) -> None:
        """Write the generator of a score row to come, unless a score in the metrics is better.

        Then the checkpoint there is gets the scores that came after it. Raises CheckpointError, as
        `check_is_own` does.
        """
        self.check_is_own()
        scores = [*self.list_scores(), row]
        if row["score"] <= min(one["score"] for one in scores):
            self._save_checkpoint(self._checkpoint_path, progress, generator, scores)
        elif self._checkpoint_path.is_file():  # it may have been moved away meanwhile
            self._extend_checkpoint(scores)

    def list_scores(self) -> list[Row]:
        """Return the score rows of the run so far."""
        return select_scores(read_history(self._folder.metrics_path))

    def _keeps_latest(self) -> bool:
        """Tell whether no score chooses: of a run that was scored before, the best one stays."""
        return not self._config.score_every and not self.list_scores()

    def _extend_checkpoint(self, scores: list[Row]) -> None:
        """Rewrite the best checkpoint with the scores that came after it."""
        generator, header = load_generator(self._checkpoint_path)
        extended = CheckpointHeader(header.model, header.dataset, header.training, scores)
        with explain_write_errors(self._checkpoint_path):
            save_generator(self._checkpoint_path, generator, extended, torch.float16)

    def _save_checkpoint(
        self, path: Path, progress: Progress, generator: nn.Module, scores: list[Row]
    ) -> None:
        options = self._config.to_dict()
        for name in ("data", "extractor_weights"):  # a checkpoint may be given to anyone
            if options[name] is not None:
                options[name] = shorten_place(str(options[name]))
        training = {
            **options,
            **progress.describe(),
            "steps": progress.step,
            **self._facts,
        }
        header = CheckpointHeader(self._engine.model, self._dataset.describe(), training, scores)
        with explain_write_errors(path):
            save_generator(path, generator, header, torch.float16)


class WatchingKeeper(TrainingKeeper):
    """Write nothing, and raise what the writing one does: what the other processes have."""

    def check_places(self) -> None:
        """Leave it to the main process."""

    def prepare(self) -> None:
        """Leave it to the main process."""

    def check_is_own(self) -> None:
        """Leave it to the main process."""

    def save_state(self, state: TrainingState) -> None:
        """Raise DivergenceError if a number is not finite; it is in every process alike."""
        check_state(state.engine.state_dict(), state.progress.step)

    def save_snapshot(self, progress: Progress) -> None:
        """Leave it to the main process."""

    def save_if_best(self, progress: Progress, generator: nn.Module, row: Row) -> None:
        """Leave it to the main process."""
