"""Divide the time of a training step among its parts, and say what scores add to it.

The engine labels its parts for PyTorch's profiler. A GPU runs its kernels later than the code that
asks for them, and backward passes in another thread, so the labels are timed here, with the device
waited for at each border. Where labels nest, the inner one counts. *generator* is making the fakes
and all of its update, the way back through the discriminator included; *other* is what no label
covers. The gradient penalty is what makes a WGAN-GP critic step dearer than a discriminator step of
the DCGAN; Adam is left out of both.

*Scores* are those of a training at its default options: batches of 64, 1,000 images, as many steps
apart as is the model's default. On a GPU, where they run beside the training, their share is what
the steps between two take longer with one; elsewhere it follows from the seconds of a score and of
a step.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING
from unittest import mock

from benchmarks.loops import BFLOAT16, EngineTurns, Setting, list_precisions, wait_for
from benchmarks.measurement import Context, Goal, Measurement, time_runs

if TYPE_CHECKING:
    import torch

    from training.datasets import ImageDataset
    from training.scoring import TrainingScorer

MODELS = ("dcgan", "wgan_gp", "sgan")
OTHER = "other"
PARTS = ("data", "generator", "discriminator", "optimizer", "ema", OTHER)
REFERENCE = "avatars-toon-head-64-efficientnet-lite0.safetensors"
MAX_SCORE_SHARE = 10.0


class PartClock:
    """Add up the seconds spent in labelled parts; time outside of any label is OTHER's."""

    def __init__(self, read_time: Callable[[], float]) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._read_time = read_time
        self._labels = [OTHER]
        self._last = 0.0

    @contextmanager
    def run(self) -> Iterator[None]:
        """Count the time of a block of code."""
        self._last = self._read_time()
        yield
        self._credit()

    @contextmanager
    def label(self, name: str) -> Iterator[None]:
        """Count the time of a block for a part, less the parts inside it."""
        self._credit()
        self._labels.append(name)
        try:
            yield
        finally:
            self._credit()
            self._labels.pop()

    def _credit(self) -> None:
        now = self._read_time()
        self.seconds[self._labels[-1]] += now - self._last
        self._last = now


def compute_shares(seconds: Mapping[str, float]) -> dict[str, float]:
    """Divide seconds by their sum: the shares of PARTS first, then of any others; they add to 1."""
    total = sum(seconds.values())
    names = [*PARTS, *(name for name in seconds if name not in PARTS)]
    return {name: seconds.get(name, 0.0) / total for name in names}


def time_labels(clock: PartClock) -> AbstractContextManager[object]:
    """Let a clock time the blocks that are labelled for PyTorch's profiler."""
    return mock.patch("torch.profiler.record_function", clock.label)


def run_parts(context: Context, device: torch.device, batch_size: int) -> Iterator[Measurement]:
    """Measure the share of each part of a step, and what a critic step costs."""
    precision = list_precisions(device)[-1]
    critic_seconds: dict[str, tuple[float, ...]] = {}
    for model in MODELS:
        setting = Setting(model, batch_size)
        turns = time_parts(context, setting, device, precision)
        shares = [compute_shares(seconds) for seconds in turns]
        for part in shares[0]:
            values = tuple(100 * share[part] for share in shares)
            yield Measurement(f"{model}, {precision}: {part}'s share of a step", "%", values)
        critic_steps = setting.images_per_step / batch_size
        critic_seconds[model] = tuple(turn["discriminator"] / critic_steps for turn in turns)
    for model, seconds in critic_seconds.items():
        values = tuple(1000 * value for value in seconds)
        yield Measurement(f"{model}, {precision}: a discriminator step", "ms", values)
    pairs = zip(critic_seconds["wgan_gp"], critic_seconds["dcgan"], strict=True)
    ratios = tuple(with_penalty / without for with_penalty, without in pairs)
    yield Measurement(f"wgan_gp, {precision}: a critic step, in those of dcgan", "x", ratios)


def time_parts(
    context: Context, setting: Setting, device: torch.device, precision: str
) -> list[dict[str, float]]:
    """Return the seconds of each part of one step, the mean of a few, turn by turn."""
    loop = EngineTurns(setting, device, has_autocast=precision == BFLOAT16)
    num_steps = context.choose_runs(50 if device.type == "cuda" else 2, 1)
    loop.run_turn(num_steps)
    turns = []
    for _ in range(context.choose_runs(5, 2)):
        clock = PartClock(partial(read_time, device))
        with time_labels(clock), clock.run():
            for _ in range(num_steps):
                loop.run_step()
        turns.append({part: value / num_steps for part, value in clock.seconds.items()})
    return turns


def read_time(device: torch.device) -> float:
    """Read the clock once a device is idle."""
    wait_for(device)
    return time.perf_counter()


def run_scoring(context: Context, device: torch.device) -> Iterator[Measurement]:
    """Measure the seconds of a score, and their share of a training that is scored."""
    from training.errors import ProjectError

    settings = [Setting(model, context.choose_runs(64, 8)) for model in MODELS]
    try:
        scorer, num_samples = build_scorer(context, settings[0], device)
    except ProjectError as error:
        print(f"The cost of scores was not measured: {error}", file=sys.stderr, flush=True)
        return
    precision = list_precisions(device)[-1]
    goal = None if context.is_quick else Goal(MAX_SCORE_SHARE)
    seconds: tuple[float, ...] = ()
    for setting in settings:
        loop = EngineTurns(setting, device, precision == BFLOAT16)
        loop.run_turn(1)
        if not seconds:
            seconds = time_scores(context, loop, scorer)
            yield Measurement(f"a score of {num_samples:,} images of {setting.model}", "s", seconds)
        score_every = int(setting.build_config().score_every or 0)
        if device.type == "cuda":
            shares = time_scored_steps(context, loop, scorer, device, score_every)
        else:
            step = time_default_step(context, loop)
            shares = tuple(100 * value / (value + score_every * step) for value in seconds)
        what = f"scores' share, every {score_every:,} steps of {setting.batch_size}"
        yield Measurement(f"{setting.model}, {precision}: {what}", "%", shares, goal)


def time_scores(context: Context, loop: EngineTurns, scorer: TrainingScorer) -> tuple[float, ...]:
    """Return the seconds of a score, several times."""
    return time_runs(
        lambda _: scorer.score(loop.engine.generator_ema, lambda: False), context.choose_runs(3, 2)
    )


def time_default_step(context: Context, loop: EngineTurns) -> float:
    """Return the seconds of a generator step, the mean of several."""
    num_steps = context.choose_runs(4, 1)
    loop.run_turn(num_steps)
    return loop.run_turn(num_steps) / num_steps


def time_scored_steps(
    context: Context,
    loop: EngineTurns,
    scorer: TrainingScorer,
    device: torch.device,
    score_every: int,
) -> tuple[float, ...]:
    """Return by how many percent of their time steps take longer with a score beside them."""
    from training.background import choose_runner
    from training.processes import ALONE

    num_steps, runner = context.choose_runs(score_every, 8), choose_runner(device, ALONE)
    loop.run_turn(num_steps)
    shares = []
    for _ in range(context.choose_runs(3, 2)):
        alone = loop.run_turn(num_steps)
        start = time.perf_counter()
        generator = runner.freeze(loop.engine.generator_ema)
        score = runner.start(partial(scorer.score, generator, lambda: False))
        loop.run_turn(num_steps)
        score.result()
        with_score = time.perf_counter() - start
        shares.append(100 * (with_score - alone) / with_score)
    runner.close()
    return tuple(shares)


def build_scorer(
    context: Context, setting: Setting, device: torch.device
) -> tuple[TrainingScorer, int]:
    """Build a training's scorer, and say how many images it makes.

    Raises ProjectError where a package or the shipped reference is missing.
    """
    import dataclasses

    from training.scoring import TrainingScorer

    config = setting.build_config()
    if context.is_quick:
        config = dataclasses.replace(config, score_samples=32)
    folder = context.root / "checkpoints"
    scorer = TrainingScorer(config, build_stand_in(context), device, folder, cache_dir=None)
    scorer.load()
    return scorer, config.score_samples


def build_stand_in(context: Context) -> ImageDataset:
    """Build a data set that passes for the avatars, whose reference ships, without drawing them.

    The scorer asks a data set only what it is; its images are not looked at.
    """
    import numpy as np

    from training.datasets import ImageDataset
    from training.metrics.reference_files import load_reference

    facts = load_reference(context.root / "checkpoints" / "references" / REFERENCE).dataset
    side = int(facts["resolution"])
    images = np.zeros((1, 3, side, side), np.uint8)
    return ImageDataset(facts["name"], facts["title"], facts["terms"], images, facts["fingerprint"])
