"""Time one sample and a grid of 64, from seeds to uint8 pixels; every run draws new seeds.

The generator is the one that the app shows first, of the best score in checkpoints/; without any, a
DCGAN at the thesis's width (64 feature maps, 64 px) with fresh weights.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measurement import Context, Measurement, time_runs, to_milliseconds

if TYPE_CHECKING:
    from explorer.sampler import Sampler

FRESH_NAME = "untrained-dcgan"


def write_fresh_generator(folder: Path) -> None:
    """Write a checkpoint of an untrained DCGAN at the thesis's width."""
    from training.checkpoint import CheckpointHeader, save_generator
    from training.models import ModelConfig, build_generator

    config = ModelConfig(model="dcgan", z_dim=100)
    path = folder / f"{FRESH_NAME}.safetensors"
    save_generator(path, build_generator(config), CheckpointHeader(config))


@contextmanager
def open_sampler(context: Context) -> Iterator[tuple[Sampler, str]]:
    """Build a sampler, and choose the model to run on it."""
    from explorer.library import CheckpointLibrary
    from explorer.sampler import Sampler
    from training.devices import select_device

    with tempfile.TemporaryDirectory() as folder:
        library = CheckpointLibrary(context.root / "checkpoints")
        if not library.names:
            write_fresh_generator(Path(folder))
            library = CheckpointLibrary(Path(folder))
        yield Sampler(library, device=select_device(context.device)), library.names[0]


def run_sampling(context: Context) -> Iterator[Measurement]:
    """Measure the milliseconds of one sample and of a grid of 64."""
    with open_sampler(context) as (sampler, model):

        def sample(count: int, call: int) -> None:
            sampler.sample_seeds(model, range(call * count, (call + 1) * count))

        for what, count, full in (("one sample", 1, 200), ("a grid of 64", 64, 40)):
            seconds = time_runs(partial(sample, count), context.choose_runs(full, 20), 3)
            yield Measurement(f"{what}, {model}", "ms", to_milliseconds(seconds))
