"""Time one sample and a grid of 64, from seeds to uint8 pixels.

The generator is a DCGAN at the thesis's width (64 feature maps, 64 px) with fresh weights, since
time does not depend on what was learned; every run draws new seeds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measurement import Context, Measurement, time_runs, to_milliseconds

if TYPE_CHECKING:
    from explorer.sampler import Sampler

MODEL_NAME = "dcgan-fresh"


def write_fresh_generator(folder: Path) -> None:
    """Write a checkpoint of an untrained DCGAN at the thesis's width."""
    from training.checkpoint import CheckpointHeader, save_generator
    from training.models import ModelConfig, build_generator

    config = ModelConfig(model="dcgan", z_dim=100)
    path = folder / f"{MODEL_NAME}.safetensors"
    save_generator(path, build_generator(config), CheckpointHeader(config))


def build_fresh_sampler(folder: Path, device: str) -> Sampler:
    """Build a sampler over a folder that holds only an untrained DCGAN."""
    from explorer.library import CheckpointLibrary
    from explorer.sampler import Sampler
    from training.devices import select_device

    write_fresh_generator(folder)
    return Sampler(CheckpointLibrary(folder), device=str(select_device(device)))


def run_sampling(context: Context) -> Iterator[Measurement]:
    """Measure the milliseconds of one sample and of a grid of 64."""
    with tempfile.TemporaryDirectory() as folder:
        sampler = build_fresh_sampler(Path(folder), context.device)

        def sample(count: int, call: int) -> None:
            sampler.sample_seeds(MODEL_NAME, range(call * count, (call + 1) * count))

        for what, count, full in (("one sample", 1, 200), ("a grid of 64", 64, 40)):
            seconds = time_runs(partial(sample, count), context.choose_runs(full, 20), 3)
            yield Measurement(f"{what}, 64 px", "ms", to_milliseconds(seconds))
