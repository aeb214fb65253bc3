"""The training loops that are timed, under one face: the plain one, and the engine's.

All train the same networks on the same random pixels, held in memory: a step takes as long as with
pictures. Logs, scores and saves are left out; the engine's averaged generator is not.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from training.config import TrainConfig
    from training.datasets import ImageDataset

PLAIN, FLOAT32, BFLOAT16 = "plain loop", "float32", "bfloat16"
RECORDED = f"{BFLOAT16} with --cuda-graph"
NUM_BATCHES = 8


@dataclass(frozen=True)
class Setting:
    """Hold what is trained: model, images a batch, pixels a side."""

    model: str
    batch_size: int
    resolution: int = 64

    def build_config(self) -> TrainConfig:
        """Build the options, everything else at the model's defaults."""
        from training.config import TrainConfig

        return TrainConfig(self.model, "none", "benchmark", batch_size=self.batch_size).resolve()

    @property
    def images_per_step(self) -> int:
        """Real images that the discriminator sees in one generator step."""
        return self.batch_size * int(self.build_config().critic_steps or 1)


class Loop(Protocol):
    """A training loop that can be timed."""

    def run_turn(self, num_steps: int) -> float:
        """Run so many generator steps and return the seconds they took."""


class PlainTurns:
    """Time the plain loop; its workers run during its own turns only."""

    def __init__(self, setting: Setting, device: torch.device) -> None:
        from benchmarks.plain_loop import PlainLoop

        images = build_random_dataset(setting).images
        self._loop, self._device = PlainLoop(setting.build_config(), images, device), device

    def run_turn(self, num_steps: int) -> float:
        """Run so many generator steps and return their seconds, the workers' start left out."""
        with untuned(self._device):
            batches = self._loop.open_batches()
            next(batches)
            wait_for(self._device)
            start = time.perf_counter()
            for _ in range(num_steps):
                self._loop.run_step(batches)
            wait_for(self._device)
            return time.perf_counter() - start


@contextmanager
def untuned(device: torch.device) -> Iterator[None]:
    """Take back, while a block runs, what `tune_device` sets: it is the engine's own.

    Gaps in the heap that the engine leaves still serve, which can only make the plain loop faster.
    """
    import torch

    from training.allocator import give_memory_back, keep_freed_memory

    precision, is_searching = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.benchmark = False
    if device.type == "cpu":
        give_memory_back()
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.benchmark = is_searching
        if device.type == "cpu":
            keep_freed_memory()


class EngineTurns:
    """Time the training engine."""

    def __init__(
        self,
        setting: Setting,
        device: torch.device,
        has_autocast: bool,
        is_recorded: bool = False,
    ) -> None:
        from training.batches import ImageBatches
        from training.devices import tune_device
        from training.step import AdversarialStep

        tune_device(device)
        config = dataclasses.replace(setting.build_config(), cuda_graph=is_recorded)
        resolution = setting.resolution
        model = config.build_model_config(3, resolution)
        self.engine = AdversarialStep(config, model, device, has_autocast)
        dataset = build_random_dataset(setting)
        self.batches = ImageBatches(dataset, setting.batch_size, 0, False, device)
        self._device, self._step = device, 0

    def run_step(self) -> None:
        """Run one generator step; a GPU may not be done with it yet."""
        self._step += 1
        self.engine.run(self._step, self.batches.draw)

    def run_turn(self, num_steps: int) -> float:
        """Run so many generator steps and return their seconds."""
        wait_for(self._device)
        start = time.perf_counter()
        for _ in range(num_steps):
            self.run_step()
        wait_for(self._device)
        return time.perf_counter() - start


LOOPS: dict[str, Callable[[Setting, torch.device], Loop]] = {
    PLAIN: PlainTurns,
    FLOAT32: partial(EngineTurns, has_autocast=False),
    BFLOAT16: partial(EngineTurns, has_autocast=True),
    RECORDED: partial(EngineTurns, has_autocast=True, is_recorded=True),
}


def list_precisions(device: torch.device) -> tuple[str, ...]:
    """List the precisions worth using on a device, the one that a training takes last."""
    from training.devices import has_fast_bfloat16

    return (FLOAT32, BFLOAT16) if has_fast_bfloat16(device) else (FLOAT32,)


def list_engines(device: torch.device) -> tuple[str, ...]:
    """List the ways of the engine that are compared with the plain loop on a device."""
    precisions = list_precisions(device)
    return (
        (*precisions, RECORDED) if device.type == "cuda" and BFLOAT16 in precisions else precisions
    )


def build_random_dataset(setting: Setting) -> ImageDataset:
    """Build a data set of eight batches of random pixels."""
    import numpy as np

    from training.datasets import ImageDataset

    shape = (NUM_BATCHES * setting.batch_size, 3, setting.resolution, setting.resolution)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return ImageDataset("none", "random pixels", "none", images, "none")


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what was asked of it."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
