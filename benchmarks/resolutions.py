"""Time training at 32 to 256 px, and check that it learns at 128 and 256 px.

Rates and peak memory are those of the engine in the precision that a training takes by itself, at
width 64; batches are smaller where images are larger, and stated. *Learning* is a short training of
the real `Trainer` on avatars with the preset for a first try: losses must stay finite, and the
score's whole 95 % interval must come to lie below the one before the first step.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.loops import LOOPS, Setting, list_precisions
from benchmarks.measurement import Context, Goal, Measurement, UnavailableError
from benchmarks.peak_memory import measure_peak

if TYPE_CHECKING:
    import torch

    from training.datasets import ImageDataset
    from training.metrics.score import Score
    from training.trainer import Trainer

MODELS = ("dcgan", "wgan_gp")
BATCH_SIZES = {32: 128, 64: 128, 128: 32, 256: 16}
LEARNING_MODEL = "wgan_gp"


@dataclasses.dataclass(frozen=True)
class Lesson:
    """Hold how long to train at a resolution, on how many avatars, and how to score."""

    resolution: int
    num_steps: int
    num_images: int = 2000
    batch_size: int = 32
    score_samples: int = 1000

    def shorten(self) -> Lesson:
        """Return a lesson that shows that all of it runs, and teaches nothing."""
        return Lesson(self.resolution, num_steps=1, num_images=16, batch_size=2, score_samples=16)


LESSONS = (Lesson(128, num_steps=600), Lesson(256, num_steps=400, batch_size=16))


def run_resolutions(context: Context) -> Iterator[Measurement]:
    """Measure images per second and peak memory at each resolution, then check learning."""
    from training.devices import select_device

    device = select_device(context.device)
    for model in MODELS:
        for resolution, batch_size in BATCH_SIZES.items():
            setting = Setting(model, 2 if context.is_quick else batch_size, resolution)
            yield measure_rate(context, setting, device)
            # A process of its own takes seconds to start: when in a hurry, one is enough.
            if not context.is_quick or (model, resolution) == (MODELS[0], min(BATCH_SIZES)):
                yield measure_memory(context, setting, device)
    for lesson in LESSONS:
        yield from check_learning(context, lesson.shorten() if context.is_quick else lesson, device)


def describe(setting: Setting, device: torch.device) -> str:
    """Name a setting in the precision that is taken on a device."""
    return (
        f"{setting.model}, {setting.resolution} px, batch {setting.batch_size}, "
        f"{list_precisions(device)[-1]}"
    )


def measure_rate(context: Context, setting: Setting, device: torch.device) -> Measurement:
    """Measure the images per second of the engine in one setting."""
    loop = LOOPS[list_precisions(device)[-1]](setting, device)
    critic_steps = setting.images_per_step // setting.batch_size
    num_steps = max(1, context.choose_runs(100 if device.type == "cuda" else 5, 1) // critic_steps)
    loop.run_turn(num_steps)
    num_images = num_steps * setting.images_per_step
    rates = (num_images / loop.run_turn(num_steps) for _ in range(context.choose_runs(5, 1)))
    return Measurement(describe(setting, device), "images/s", tuple(rates))


def measure_memory(context: Context, setting: Setting, device: torch.device) -> Measurement:
    """Measure the peak memory of the engine in one setting."""
    peak = measure_peak(context.root, list_precisions(device)[-1], setting, device)
    return Measurement(f"{describe(setting, device)}: peak memory", "MB", (peak,))


def check_learning(context: Context, lesson: Lesson, device: torch.device) -> Iterator[Measurement]:
    """Train on avatars and measure the scores before and after.

    Raises TrainingError where a loss stops being finite.
    """
    from training.errors import DatasetError

    with tempfile.TemporaryDirectory() as name:
        try:
            dataset = draw_avatars(lesson, Path(name))
        except DatasetError as error:
            raise UnavailableError(str(error)) from error
        trainer = build_trainer(lesson, dataset, Path(name), device)
        before, after = train_and_score(trainer, Path(name))
    prefix = f"{LEARNING_MODEL} on avatars, {lesson.resolution} px"
    counts = f"{lesson.num_steps} steps of {lesson.batch_size}"
    yield Measurement(f"{prefix}: {describe_interval(before)}, at the start", "FD", (before.value,))
    yield Measurement(f"{prefix}: {describe_interval(after)}, after {counts}", "FD", (after.value,))
    goal = None if context.is_quick else Goal(0.0, is_upper=False)
    gap = before.interval[0] - after.interval[1]
    yield Measurement(f"{prefix}: from the first interval down to the last", "FD", (gap,), goal)


def describe_interval(score: Score) -> str:
    """Name a score with its 95 % interval and number of samples."""
    low, high = score.interval
    return f"score of {score.num_samples:,} samples, 95 % in [{low:.1f}, {high:.1f}]"


def draw_avatars(lesson: Lesson, folder: Path) -> ImageDataset:
    """Draw the avatars of a lesson, without labels; the cache goes into the folder."""
    from training.datasets import DatasetOptions, load_dataset

    options = DatasetOptions(
        resolution=lesson.resolution, max_images=lesson.num_images, cache_dir=folder / "cache"
    )
    dataset = load_dataset("avatars", options, progress=False)
    return dataclasses.replace(dataset, labels=None, label_columns=())


def build_trainer(
    lesson: Lesson, dataset: ImageDataset, folder: Path, device: torch.device
) -> Trainer:
    """Build the trainer of a lesson, which scores and keeps nothing by itself."""
    from training.config import TrainConfig
    from training.presets import PRESETS
    from training.runs import RunFolder
    from training.trainer import Trainer

    options = PRESETS["quick"] | {
        "steps": lesson.num_steps,
        "batch_size": lesson.batch_size,
        "score_samples": lesson.score_samples,
        "score_every": 0,
        "grid_every": 0,
        "save_every": lesson.num_steps,
    }
    config = TrainConfig(LEARNING_MODEL, dataset.name, "lesson", **options)
    path = folder / "lesson.safetensors"
    return Trainer(config, dataset, RunFolder(folder / "run"), path, "a benchmark", device)


def train_and_score(trainer: Trainer, folder: Path) -> tuple[Score, Score]:
    """Train to the end; returns the averaged generator's scores before and after."""
    from training.scoring import TrainingScorer

    scorer = TrainingScorer(
        trainer.config, trainer.dataset, trainer.device, folder, cache_dir=folder / "cache"
    )

    def score() -> Score:
        found = scorer.score(trainer.engine.generator_ema, lambda: False)
        if found is None:
            raise RuntimeError("The scorer stopped, though nothing asked it to.")
        return found

    before = score()
    trainer.train()
    return before, score()
