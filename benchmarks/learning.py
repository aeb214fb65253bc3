"""Check that training learns at 128 and 256 px: scores before and after.

A training of the real `Trainer` on avatars, by the preset for a first try: losses must stay finite,
and the score's whole 95 % interval must come to lie below the one before the first step. That is
not soon: an untrained generator's even grey scores better than the first attempts at a drawing. So
the training is scored every 250 steps, resumed from its run folder, and ends when it is better.
Up to an hour on two cores.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measurement import Context, Goal, Measurement, UnavailableError

if TYPE_CHECKING:
    import torch

    from training.datasets import ImageDataset
    from training.metrics.score import Score
    from training.scoring import TrainingScorer
    from training.trainer import Trainer

MODEL = "wgan_gp"


@dataclasses.dataclass(frozen=True)
class Lesson:
    """Hold how to train at a resolution: how wide, how long, on how many avatars, and the scores.

    After every ``check_every`` steps it is scored, and ends where it is better than at the start.
    """

    resolution: int
    width: int
    batch_size: int
    num_steps: int = 4000
    check_every: int = 250
    num_images: int = 2000
    score_samples: int = 1000

    def shorten(self) -> Lesson:
        """Return a lesson that shows that all of it runs, and teaches nothing."""
        return Lesson(
            self.resolution, 8, 2, num_steps=2, check_every=1, num_images=16, score_samples=16
        )


LESSONS = (Lesson(128, width=16, batch_size=32), Lesson(256, width=16, batch_size=16))


def run_learning(context: Context) -> Iterator[Measurement]:
    """Measure the scores before and after a training at each resolution."""
    from training.devices import select_device

    device = select_device(context.device)
    for lesson in LESSONS:
        yield from check_learning(context, lesson.shorten() if context.is_quick else lesson, device)


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
        before, after, num_steps = train_and_score(lesson, dataset, Path(name), device)
    prefix = f"{MODEL} of avatars, {lesson.resolution} px, width {lesson.width}"
    counts = f"{num_steps:,} steps of {lesson.batch_size}"
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


def train_and_score(
    lesson: Lesson, dataset: ImageDataset, folder: Path, device: torch.device
) -> tuple[Score, Score, int]:
    """Train until the score is better than at the start, or to the end of the lesson.

    Returns the averaged generator's scores before and after, and the steps between them.
    """
    from training.scoring import TrainingScorer

    trainer = build_trainer(lesson, lesson.check_every, dataset, folder, device)
    scorer = TrainingScorer(trainer.config, dataset, device, folder, cache_dir=folder / "cache")
    before = score_generator(scorer, trainer)
    for num_steps in range(lesson.check_every, lesson.num_steps + 1, lesson.check_every):
        if num_steps > lesson.check_every:
            del trainer  # its memory is free before the next one's is taken
            trainer = build_trainer(lesson, num_steps, dataset, folder, device)
            trainer.resume()
        trainer.train()
        after = score_generator(scorer, trainer)
        if after.interval[1] < before.interval[0]:
            break
    return before, after, num_steps


def build_trainer(
    lesson: Lesson, num_steps: int, dataset: ImageDataset, folder: Path, device: torch.device
) -> Trainer:
    """Build the trainer of a lesson up to a step, which scores nothing by itself."""
    from training.config import TrainConfig
    from training.presets import get_preset
    from training.runs import RunFolder
    from training.trainer import Trainer

    options = get_preset("quick", MODEL) | {
        "steps": num_steps,
        "width": lesson.width,
        "batch_size": lesson.batch_size,
        "score_samples": lesson.score_samples,
        "score_every": 0,
        "grid_every": 0,
        "save_every": lesson.check_every,
    }
    config = TrainConfig(MODEL, dataset.name, "lesson", **options)
    path = folder / "lesson.safetensors"
    return Trainer(config, dataset, RunFolder(folder / "run"), path, "a benchmark", device)


def score_generator(scorer: TrainingScorer, trainer: Trainer) -> Score:
    """Score the averaged generator of a trainer."""
    found = scorer.score(trainer.engine.generator_ema, lambda: False)
    if found is None:
        raise RuntimeError("The scorer stopped, though nothing asked it to.")
    return found.score
