"""Check that training learns at 128 and 256 px: scores before and after.

A training of the real `Trainer` on avatars, by the preset for a first try: losses must stay finite,
and the score's whole 95 % interval must come to lie below the one before the first step. That is
not soon: an untrained generator's even grey scores better than the first attempts at a drawing. So
the training is scored every 250 steps, resumed from its run folder, and ends when it is better.
About an hour and a quarter on one core. It can be stopped and goes on from runs/.learning, which is
removed at the end.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measurement import Context, Goal, Measurement, UnavailableError

if TYPE_CHECKING:
    import torch

    from training.datasets import ImageDataset
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


@dataclasses.dataclass(frozen=True)
class Check:
    """Hold a score of a lesson's averaged generator, its 95 % interval, and the step it is of."""

    step: int
    value: float
    low: float
    high: float
    num_samples: int

    def describe(self) -> str:
        """Name the score with its interval and number of samples."""
        interval = f"[{self.low:.1f}, {self.high:.1f}]"
        return f"score of {self.num_samples:,} samples, 95 % in {interval}"


def run_learning(context: Context) -> Iterator[Measurement]:
    """Measure the scores before and after a training at each resolution."""
    from training.devices import select_device

    device = select_device(context.device)
    with tempfile.TemporaryDirectory() as name:
        # No run of a user can have this name.
        root = Path(name) if context.is_quick else context.root / "runs" / ".learning"
        for lesson in LESSONS:
            taken = lesson.shorten() if context.is_quick else lesson
            yield from check_learning(context, taken, root / f"{taken.resolution}px", device)
        if not context.is_quick:
            shutil.rmtree(root)


def check_learning(
    context: Context, lesson: Lesson, folder: Path, device: torch.device
) -> Iterator[Measurement]:
    """Train on avatars in a folder and measure the scores before and after.

    Raises TrainingError where a loss stops being finite.
    """
    from training.errors import DatasetError

    forget_other_lesson(lesson, folder, device)
    try:
        dataset = draw_avatars(lesson, folder)
    except DatasetError as error:
        raise UnavailableError(str(error)) from error
    before, *_, after = train_and_score(lesson, dataset, folder, device)
    prefix = f"{MODEL} of avatars, {lesson.resolution} px, width {lesson.width}"
    counts = f"{after.step:,} steps of {lesson.batch_size}"
    yield Measurement(f"{prefix}: {before.describe()}, at the start", "FD", (before.value,))
    yield Measurement(f"{prefix}: {after.describe()}, after {counts}", "FD", (after.value,))
    goal = None if context.is_quick else Goal(0.0, is_upper=False)
    gap = before.low - after.high
    yield Measurement(f"{prefix}: from the first interval down to the last", "FD", (gap,), goal)


def forget_other_lesson(lesson: Lesson, folder: Path, device: torch.device) -> None:
    """Empty a folder unless it holds this very lesson, begun on the same device and PyTorch."""
    path, settings = folder / "lesson.json", describe_lesson(lesson, device)
    if folder.exists() and not (path.is_file() and path.read_text(encoding="utf-8") == settings):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(settings, encoding="utf-8")


def describe_lesson(lesson: Lesson, device: torch.device) -> str:
    """Write a lesson's settings and what computes it as JSON."""
    import torch

    facts = {"device": device.type, "torch": torch.__version__}
    return json.dumps({**dataclasses.asdict(lesson), **facts})


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
) -> list[Check]:
    """Train until the score is better than at the start, or to the end of the lesson.

    Returns the averaged generator's scores, the first of them at the start. Those that the folder
    holds already are not taken again.
    """
    from training.files import write_text
    from training.scoring import TrainingScorer

    path = folder / "checks.json"
    checks = [Check(**values) for values in json.loads(path.read_text())] if path.exists() else []
    scorer: TrainingScorer | None = None
    for num_steps in range(0, lesson.num_steps + 1, lesson.check_every):
        if num_steps <= (checks[-1].step if checks else -1):
            continue
        if len(checks) > 1 and checks[-1].high < checks[0].low:
            break
        trainer = build_trainer(lesson, max(num_steps, lesson.check_every), dataset, folder, device)
        if trainer.folder.states.list_paths():
            trainer.resume()
        if num_steps > 0 and (received := trainer.train().received):
            sys.exit(128 + received)
        scorer = scorer or TrainingScorer(
            trainer.config, dataset, device, folder, cache_dir=folder / "cache"
        )
        checks.append(score_generator(scorer, trainer, num_steps))
        write_text(path, json.dumps([dataclasses.asdict(check) for check in checks], indent=1))
        del trainer  # its memory is free before the next one's is taken
    return checks


def build_trainer(
    lesson: Lesson, num_steps: int, dataset: ImageDataset, folder: Path, device: torch.device
) -> Trainer:
    """Build the trainer of a lesson up to a step, which scores nothing by itself."""
    from training.config import TrainConfig
    from training.datasets import DatasetOptions
    from training.presets import get_preset
    from training.runs import RunFolder, RunOptions
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
    run = RunOptions(config, DatasetOptions(), folder, "a benchmark")
    return Trainer(run, dataset, RunFolder(folder / "run"), device)


def score_generator(scorer: TrainingScorer, trainer: Trainer, step: int) -> Check:
    """Score the averaged generator of a trainer at a step."""
    found = scorer.score(trainer.engine.generator_ema, lambda: False)
    if found is None:
        raise RuntimeError("The scorer stopped, though nothing asked it to.")
    low, high = found.score.interval
    return Check(step, found.score.value, low, high, found.score.num_samples)
