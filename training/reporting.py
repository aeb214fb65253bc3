"""Where a training's numbers go: metrics.jsonl, TensorBoard and a one-line progress bar."""

import math
import sys
import time
from types import TracebackType
from typing import Any

from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from training.files import explain_write_errors, write_atomically
from training.history import HistoryWriter
from training.projector import Embedding
from training.runs import RunFolder
from training.tensorboard_log import TensorBoardLog

# How often the bar is redrawn, in seconds: on a terminal, and in a log file.
TERMINAL_INTERVAL, LOG_INTERVAL = 0.2, 30.0
# What TensorBoard calls the numbers of a row of losses, and those of a score.
LOSS_TAGS = {
    "loss_d": "loss/discriminator",
    "loss_g": "loss/generator",
    "penalty": "loss/gradient_penalty",
    "d_real": "discriminator/real",
    "d_fake": "discriminator/fake",
    "d_accuracy": "discriminator/accuracy",
    "d_skipped": "discriminator/skipped_steps",
    "loss_predictor": "loss/predictor",
    "loss_labels": "loss/labels",
    "learning_rate_g": "learning_rate/generator",
    "learning_rate_d": "learning_rate/discriminator",
    "images_per_second": "speed/images_per_second",
    "memory_mb": "memory/resident_mb",
    "gpu_memory_mb": "memory/gpu_peak_mb",
}
SCORE_TAGS = {"score": "score/value", "noise_floor": "score/noise_floor"}


class SilentReporter:
    """Take in what a training tells, as a context manager, and do nothing with it.

    Of several processes those have it that do not write.
    """

    def __enter__(self) -> "SilentReporter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End without a word."""

    def report_losses(self, row: dict[str, Any], fraction: float) -> None:
        """Take mean losses of the last steps; ``fraction`` of the training is done."""

    def report_score(self, row: dict[str, Any]) -> None:
        """Take a score row."""

    def report_grid(self, images: Tensor, step: int) -> None:
        """Take an image grid, uint8 (C, H, W)."""

    def report_histograms(self, networks: dict[str, nn.Module], step: int) -> None:
        """Take networks, for how their weights are distributed."""

    def report_embedding(self, embedding: Embedding, step: int) -> None:
        """Take points with pictures."""

    def rewind(self, step: int, has_open_losses: bool, row: dict[str, Any]) -> None:
        """Take back what was told after a step, and why."""

    def sync(self) -> None:
        """Wait until all that was told is on the disk."""

    def report_activity(self, text: str) -> None:
        """Take what is going on when it is not a training step."""


class Reporter(SilentReporter):
    """Write each row of numbers everywhere it is read, as a context manager."""

    def __init__(self, folder: RunFolder, name: str, first_step: int) -> None:
        self._folder = folder
        self._history = HistoryWriter(folder.metrics_path)
        try:
            self._tensorboard = TensorBoardLog(folder, first_step)
        except BaseException:
            self._history.close()
            raise
        is_terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=100,
            desc=name,
            bar_format="{desc} {percentage:3.0f}%|{bar:12}| {postfix}",
            mininterval=TERMINAL_INTERVAL if is_terminal else LOG_INTERVAL,
            dynamic_ncols=is_terminal,
        )
        self._score_text = "no score yet"
        self._started = time.monotonic()
        self._first_fraction: float | None = None

    def __enter__(self) -> "Reporter":
        self._tensorboard.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()
        self._history.close()
        self._tensorboard.__exit__(kind, error, traceback)

    def report_losses(self, row: dict[str, Any], fraction: float) -> None:
        """Record mean losses of the last steps; ``fraction`` of the training is done."""
        self._record(row, LOSS_TAGS)
        left = self._estimate_seconds_left(fraction)
        self._show(
            f"step {row['step']} D {row['loss_d']:.3f} G {row['loss_g']:.3f} "
            f"| {self._score_text} | {row['images_per_second']:.0f} images/s | {left} left",
            fraction,
        )

    def report_score(self, row: dict[str, Any]) -> None:
        """Record a score row; TensorBoard has its losses from the row of losses before."""
        self._record(row, SCORE_TAGS)
        for one in row.get("labels") or ():
            for reader in ("fidelity", "predictor"):
                if one[reader] is not None:
                    name = f"labels/{one['label']}/{reader}"
                    self._tensorboard.add_scalar(name, one[reader]["value"], row["step"])
            if one["hidden_information"] is not None:
                name = f"labels/{one['label']}/hidden_information"
                self._tensorboard.add_scalar(name, one["hidden_information"], row["step"])
        self._score_text = (
            f"{row['score_name']} {row['score']:.1f} (floor {row['noise_floor']:.1f}, "
            f"N {row['num_samples']})"
        )

    def report_grid(self, images: Tensor, step: int) -> None:
        """Record an image grid, uint8 (C, H, W), as a PNG in the run folder and in TensorBoard."""
        pixels = images.permute(1, 2, 0).numpy()
        picture = Image.fromarray(pixels[..., 0] if len(images) == 1 else pixels)
        grid = self._folder.get_grid_path(step)
        with explain_write_errors(grid):
            write_atomically(grid, lambda path: picture.save(path, format="PNG"))
        self._tensorboard.add_image("samples/fixed_seeds", images, step)

    def report_histograms(self, networks: dict[str, nn.Module], step: int) -> None:
        """Record how the weights of networks, and their last gradients, are distributed."""
        for name, network in networks.items():
            self._tensorboard.add_histograms(name, network, step)

    def report_embedding(self, embedding: Embedding, step: int) -> None:
        """Record points with pictures for TensorBoard's projector."""
        self._tensorboard.add_embedding(embedding, step)

    def rewind(self, step: int, has_open_losses: bool, row: dict[str, Any]) -> None:
        """Take back what was recorded after a step, and record why."""
        self._history.close()
        self._folder.truncate(step, has_open_losses)
        self._history = HistoryWriter(self._folder.metrics_path)
        self._tensorboard.restart(step + 1)
        self._history.write(row)

    def sync(self) -> None:
        """Wait until all that was recorded is on the disk."""
        self._tensorboard.flush()
        self._history.sync()

    def report_activity(self, text: str) -> None:
        """Show what is going on when it is not a training step."""
        self._bar.set_postfix_str(text, refresh=True)

    def _record(self, row: dict[str, Any], tags: dict[str, str]) -> None:
        self._history.write(row)
        for key, tag in tags.items():
            if row.get(key) is not None and math.isfinite(row[key]):
                self._tensorboard.add_scalar(tag, row[key], row["step"])

    def _show(self, text: str, fraction: float) -> None:
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(100 * min(fraction, 1.0) - self._bar.n)

    def _estimate_seconds_left(self, fraction: float) -> str:
        if self._first_fraction is None:
            self._first_fraction, self._started = fraction, time.monotonic()
            return "?"
        done = fraction - self._first_fraction
        elapsed = time.monotonic() - self._started
        return tqdm.format_interval(elapsed * (1 - fraction) / done) if done > 0 else "?"
