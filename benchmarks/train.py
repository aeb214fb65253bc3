"""Time full training steps of both networks: real images seen by the discriminator per second.

Width 64 (the thesis's), batches of 128 images of 64 px, in memory, with the averaged generator
updated each step, as a real training does; logging, scoring and saving are left out. The memory
layout is channels_last throughout; bfloat16 is measured where the device has it in hardware.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.measurement import Context, Measurement

if TYPE_CHECKING:
    import torch

    from training.batches import ImageBatches

BATCH_SIZE = 128
MODELS = ("dcgan", "wgan_gp")


def run_training(context: Context) -> Iterator[Measurement]:
    """Measure images per second of each model, in float32 and in bfloat16."""
    from training.devices import has_fast_bfloat16, select_device

    device = select_device(context.device)
    for model in MODELS:
        yield measure_model(context, model, device, has_autocast=False)
        if has_fast_bfloat16(device):
            yield measure_model(context, model, device, has_autocast=True)


def measure_model(
    context: Context, model: str, device: torch.device, has_autocast: bool
) -> Measurement:
    """Measure the images per second of one model in one precision."""
    from training.config import TrainConfig
    from training.step import AdversarialStep

    batch_size = context.choose_runs(BATCH_SIZE, 8)
    config = TrainConfig(model=model, data="none", name="benchmark", batch_size=batch_size)
    config = config.resolve()
    step = AdversarialStep(config, config.build_model_config(3, 64), device, has_autocast)
    batches = build_random_batches(batch_size)
    critic_steps = int(config.critic_steps or 1)
    num_images = batch_size * critic_steps
    num_runs, num_steps = context.choose_runs(5, 2), choose_steps(context, device, critic_steps)
    rates = []
    for run in range(1 + num_runs):
        start = time.perf_counter()
        for turn in range(num_steps):
            step.run(1 + run * num_steps + turn, batches.draw)
        wait_for(device)
        rates.append(num_steps * num_images / (time.perf_counter() - start))
    what = f"{model}, batch {batch_size}, {'bfloat16' if has_autocast else 'float32'}"
    return Measurement(what, "images/s", tuple(rates[1:]))


def choose_steps(context: Context, device: torch.device, critic_steps: int) -> int:
    """Return how many generator steps make a run: enough to last a while on the device."""
    if device.type == "cuda" and not context.is_quick:
        return 100
    return max(1, context.choose_runs(3, 1) // critic_steps)


def build_random_batches(batch_size: int) -> ImageBatches:
    """Build batches over random pixels: steps take as long as with pictures."""
    import numpy as np

    from training.batches import ImageBatches
    from training.datasets import ImageDataset

    images = np.random.default_rng(0).integers(0, 256, (8 * batch_size, 3, 64, 64), np.uint8)
    dataset = ImageDataset("none", "random pixels", "none", images, "none")
    return ImageBatches(dataset, batch_size, seed=0, is_mirrored=False)


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what was asked of it."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
