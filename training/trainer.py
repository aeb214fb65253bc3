"""The training loop: steps, and the cadence of logs, grids, snapshots, scores and saves."""

import math
import shlex
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.batches import ImageBatches
from training.checkpoint import CheckpointHeader, load_generator, save_generator
from training.config import TrainConfig
from training.datasets import ImageDataset
from training.devices import describe_device, has_fast_bfloat16
from training.errors import CheckpointError, TrainingError
from training.history import read_history, select_scores
from training.metrics.sampling import make_seeded_images
from training.metrics.score import describe_score
from training.reporting import Reporter
from training.runs import RunFolder
from training.scoring import TrainingScorer
from training.signals import StopSignal
from training.step import STAT_NAMES, AdversarialStep

GRID_SIDE = 8
# Snapshots are this factor apart, so that early training, where most happens, is seen closely.
SNAPSHOT_RATIO = math.sqrt(2)
FIRST_SNAPSHOT = 16


@dataclass
class Progress:
    """Count what a training has done so far, over all resumes."""

    step: int = 0
    images_seen: int = 0
    seconds: float = 0.0


def is_snapshot_step(step: int) -> bool:
    """Tell whether a snapshot is due: at step 0 and at 16, 23, 32, 45, 64, ... (factor sqrt 2)."""
    if step < FIRST_SNAPSHOT:
        return step == 0
    exponent = round(math.log(step / FIRST_SNAPSHOT, SNAPSHOT_RATIO))
    return step == round(FIRST_SNAPSHOT * SNAPSHOT_RATIO**exponent)


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Tell whether steps run under bf16 autocast: asked for, or "auto" on hardware that has it."""
    return precision == "bf16" or (precision == "auto" and has_fast_bfloat16(device))


class Trainer:
    """Train one model on one data set and leave a checkpoint that the app finds."""

    def __init__(
        self,
        config: TrainConfig,
        dataset: ImageDataset,
        folder: RunFolder,
        checkpoint_path: Path,
        command: str,
        device: torch.device,
        cache_dir: Path | None = None,
    ) -> None:
        self.config = config.resolve()
        self.dataset, self.folder, self.device = dataset, folder, device
        self.checkpoint_path, self.command = checkpoint_path, command
        self.progress = Progress()
        model = self.config.build_model_config(dataset.channels, dataset.resolution)
        self.device_name = describe_device(device)
        self.has_autocast = uses_bfloat16(self.config.precision, device)
        self.engine = AdversarialStep(self.config, model, device, self.has_autocast)
        self.batches = ImageBatches(
            dataset, self.config.batch_size, self.config.seed, self.config.is_mirrored
        )
        self._cache_dir = cache_dir
        self._pending: list[tuple[int, Tensor]] = []
        self._pending_seconds = 0.0
        self._last_losses: dict[str, float] = {}
        self._scorer: TrainingScorer | None = None

    def resume(self) -> None:
        """Go back to the state saved in the run folder; nothing is written before `train`."""
        state = self.folder.load_state()
        if state["dataset_fingerprint"] != self.dataset.fingerprint:
            raise CheckpointError(
                f"{self.folder.path} was trained on other images (fingerprint "
                f"{state['dataset_fingerprint']}, found {self.dataset.fingerprint}): give the same "
                "data, or start a new run."
            )
        self.engine.load_state_dict(state["engine"])
        self.batches.restore(state["epoch"], state["position"])
        self.progress = Progress(**{item.name: state[item.name] for item in fields(Progress)})

    def train(self) -> StopSignal:
        """Train to the goal, or until a signal; returns the signal's holder.

        Raises TrainingError if a loss stops being finite; the checkpoint and the saved state stay
        those of the last good save.
        """
        if self.config.score_every:
            self._scorer = TrainingScorer(
                self.config,
                self.dataset,
                self.device,
                reference_folder=self.checkpoint_path.parent / "references",
                cache_dir=self._cache_dir,
            )
        self.folder.truncate_history(self.progress.step)
        first_step = self.progress.step + 1
        with StopSignal() as stop, Reporter(self.folder, self.config.name, first_step) as reporter:
            if self.progress.step == 0:
                self._save_snapshot()
                self._report_grid(reporter)
                self._save_state()
            self._loop(stop, reporter)
        return stop

    def _loop(self, stop: StopSignal, reporter: Reporter) -> None:
        seconds_before, started = self.progress.seconds, time.monotonic()
        while not self.is_finished and not stop.is_set:
            self._take_step()
            self.progress.seconds = seconds_before + time.monotonic() - started
            self._keep_up(stop, reporter)
        self._flush(reporter)
        if not stop.is_set and not self.is_done:
            self._finish_score(stop, reporter)
        self.progress.seconds = seconds_before + time.monotonic() - started
        self._save_state()

    def _take_step(self) -> None:
        started = time.monotonic()
        step = self.progress.step + 1
        stats = self.engine.run(step, self.batches.draw)
        self._pending.append((step, stats))
        self._pending_seconds += time.monotonic() - started
        self.progress.step = step
        self.progress.images_seen += self.config.batch_size * int(self.config.critic_steps or 1)

    def _keep_up(self, stop: StopSignal, reporter: Reporter) -> None:
        """Do whatever is due after a step."""
        config = self.config
        is_snapshot, is_score = (
            is_snapshot_step(self.progress.step),
            self._is_due(config.score_every),
        )
        is_save = self._is_due(config.save_every)
        if self._is_due(config.log_every) or is_snapshot or is_score or is_save:
            self._flush(reporter)
        if is_snapshot:
            self._save_snapshot()
        self._report_grid(reporter)
        if is_score:
            self._finish_score(stop, reporter)
        if is_save or is_score:
            self._save_state()

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.progress.step % every == 0

    @property
    def is_finished(self) -> bool:
        """Tell whether the goal is reached."""
        return self._get_fraction() >= 1

    @property
    def is_done(self) -> bool:
        """Tell whether the goal is reached and its last step is scored, where scores are wanted."""
        return self.is_finished and (not self.config.score_every or self._is_scored())

    def _is_scored(self) -> bool:
        scores = select_scores(read_history(self.folder.metrics_path))
        return any(row["step"] == self.progress.step for row in scores)

    def _get_fraction(self) -> float:
        if self.config.kimg is not None:
            return self.progress.images_seen / (1000 * self.config.kimg)
        if self.config.minutes is not None:
            return self.progress.seconds / (60 * self.config.minutes)
        return self.progress.step / int(self.config.steps or 1)

    def _flush(self, reporter: Reporter) -> None:
        """Report the mean of the steps since the last flush; raise if one was not finite."""
        if not self._pending:
            return
        started = time.monotonic()
        stats = torch.stack([values for _, values in self._pending]).cpu()  # (steps, 5)
        # Reading the numbers waits for the device: that is training time too.
        seconds = self._pending_seconds + time.monotonic() - started
        for (step, _), values in zip(self._pending, stats, strict=True):
            self._check_finite(step, values)
        images = len(self._pending) * self.config.batch_size * int(self.config.critic_steps or 1)
        self._last_losses = dict(zip(STAT_NAMES, stats.mean(0).tolist(), strict=True))
        row = {**self._describe_progress(), **self._last_losses}
        row["images_per_second"] = images / max(seconds, 1e-9)
        reporter.report_losses(row, self._get_fraction())
        self._pending, self._pending_seconds = [], 0.0

    def _check_finite(self, step: int, values: Tensor) -> None:
        for name, network in (("loss_d", "discriminator"), ("loss_g", "generator")):
            value = values[STAT_NAMES.index(name)].item()
            if not math.isfinite(value):
                raise TrainingError(
                    f"The loss of the {network} became {value} at step {step}: training cannot go "
                    "on. The checkpoint and the saved state are those of the last good save; lower "
                    f"the learning rate, or resume from there: {self.resume_command}"
                )

    @property
    def resume_command(self) -> str:
        """Return the command that goes on with this run."""
        return f"python -m training train --resume {shlex.quote(str(self.folder.path))}"

    def _finish_score(self, stop: StopSignal, reporter: Reporter) -> None:
        """Score the averaged generator; write the checkpoint if it is the best so far."""
        if self._scorer is None:
            return
        reporter.report_activity(f"scoring {self.config.score_samples} images")
        score = self._scorer.score(self.engine.generator_ema, lambda: stop.is_set)
        if score is None:
            return
        losses = {key: self._last_losses.get(key) for key in ("loss_d", "loss_g")}
        reporter.report_score({**self._describe_progress(), **describe_score(score), **losses})
        history = select_scores(read_history(self.folder.metrics_path))
        if score.value <= min(row["score"] for row in history):
            self._save_checkpoint(self.checkpoint_path, history)
        elif self.checkpoint_path.is_file():  # it may have been moved away meanwhile
            self._extend_history(history)

    def _extend_history(self, history: list[dict[str, Any]]) -> None:
        """Rewrite the best checkpoint with the scores that came after it."""
        generator, header = load_generator(self.checkpoint_path)
        extended = CheckpointHeader(header.model, header.dataset, header.training, history)
        save_generator(self.checkpoint_path, generator, extended, torch.float16)

    def _save_checkpoint(self, path: Path, history: list[dict[str, Any]]) -> None:
        training = {
            **self.config.to_dict(),
            **self._describe_progress(),
            "steps": self.progress.step,
            "device": self.device_name,
            "precision": "bf16" if self.has_autocast else "fp32",
            "command": self.command,
        }
        header = CheckpointHeader(self.engine.model, self.dataset.describe(), training, history)
        save_generator(path, self.engine.generator_ema, header, torch.float16)

    def _save_snapshot(self) -> None:
        history = select_scores(read_history(self.folder.metrics_path))
        name = f"step-{self.progress.step:07d}.safetensors"
        self._save_checkpoint(self.folder.snapshots / name, history)

    def _save_state(self) -> None:
        if not self.config.score_every:
            self._save_checkpoint(self.checkpoint_path, [])
        self.folder.save_state(
            {
                "engine": self.engine.state_dict(),
                "epoch": self.batches.epoch,
                "position": self.batches.position,
                "dataset_fingerprint": self.dataset.fingerprint,
                **vars(self.progress),
            }
        )

    def _describe_progress(self) -> dict[str, Any]:
        return {**vars(self.progress), "seconds": round(self.progress.seconds, 1)}

    def _report_grid(self, reporter: Reporter) -> None:
        if self._is_due(self.config.grid_every):
            reporter.report_grid(self._sample_grid(), self.progress.step)

    def _sample_grid(self) -> Tensor:
        """Return the fixed seeds 0 to 63 of the averaged generator as one uint8 (C, 8H, 8W)."""
        make_images = make_seeded_images(self.engine.generator_ema, self.device)
        images = make_images(0, GRID_SIDE**2).cpu()  # (64, C, H, W)
        channels, height, width = images.shape[1:]
        tiles = images.reshape(GRID_SIDE, GRID_SIDE, channels, height, width)
        return tiles.permute(2, 0, 3, 1, 4).reshape(channels, GRID_SIDE * height, GRID_SIDE * width)
