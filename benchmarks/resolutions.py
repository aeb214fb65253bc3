"""Time training at 32 to 256 px.

Rates and peak memory are those of the engine in the precision that a training takes by itself, at
width 64; batches are smaller where images are larger, and stated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.loops import LOOPS, Setting, list_precisions
from benchmarks.measurement import Context, Measurement
from benchmarks.peak_memory import measure_peak

if TYPE_CHECKING:
    import torch

MODELS = ("dcgan", "wgan_gp")
BATCH_SIZES = {32: 128, 64: 128, 128: 32, 256: 16}


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
