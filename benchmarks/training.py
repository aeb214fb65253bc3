"""Time training: real images that the discriminator sees per second, and where the time goes.

`python benchmarks/training.py --device cuda` runs this benchmark alone, and ends with one line
`MODEL ratio N.N` each: how many times as fast as the plain loop (plain_loop.py) the engine is, in
the precision that a training takes by itself. On CUDA there are such lines with `--cuda-graph`
before. All train the same networks, width 64 (the thesis's), on batches of 128 images of 64 px, in
turns on the same machine. bfloat16 is measured where the device has it in hardware. What the parts
of a step cost: step_parts.py; how near a step comes to what the machine can do at best:
convolutions.py; memory: peak_memory.py.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if __package__ in (None, ""):
    # As a script: imports start at the root. This folder would hide the package `training`.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.convolutions import run_convolutions
from benchmarks.loops import LOOPS, PLAIN, RECORDED, Setting, list_engines, list_precisions
from benchmarks.measurement import Context, Goal, Measurement
from benchmarks.peak_memory import NUM_CUDA_STEPS, measure_peak
from benchmarks.step_parts import run_parts, run_scoring

if TYPE_CHECKING:
    import torch

BATCH_SIZE, QUICK_BATCH_SIZE = 128, 2
CEILING_MODEL = "dcgan"


@dataclass(frozen=True)
class TurnLength:
    """Hold how many generator steps make a turn: enough to last some seconds."""

    cpu: int
    cuda: int


MODELS = {
    "dcgan": TurnLength(cpu=3, cuda=200),
    "wgan_gp": TurnLength(cpu=1, cuda=40),
    "sgan": TurnLength(cpu=20, cuda=1500),
}
# Times as fast as the plain loop, at least, by device and precision.
GOALS = {
    ("cpu", "float32"): 1.3,
    ("cpu", "bfloat16"): 2.2,
    ("cuda", "bfloat16"): 5.0,
    ("cuda", RECORDED): 5.0,
}


def run_training(context: Context) -> Iterator[Measurement]:
    """Measure rates, ratios to the plain loop, memory, parts of a step, and the ceiling."""
    from training.devices import select_device

    device = select_device(context.device)
    batch_size = QUICK_BATCH_SIZE if context.is_quick else BATCH_SIZE
    rates = {}
    for model in MODELS:
        setting = Setting(model, batch_size)
        rates[model] = measure_rates(context, setting, device)
        yield from rates[model].values()
        yield from compare_rates(context, model, rates[model], device)
    for model in list(MODELS)[: 1 if context.is_quick else None]:
        yield from measure_peaks(context, Setting(model, batch_size), device)
    yield from run_parts(context, device, batch_size)
    yield from run_scoring(context, device)
    yield from run_convolutions(
        context, device, Setting(CEILING_MODEL, batch_size), rates[CEILING_MODEL]
    )


def measure_rates(
    context: Context, setting: Setting, device: torch.device
) -> dict[str, Measurement]:
    """Measure the images per second of the plain loop and of each precision, in turns."""
    names = (PLAIN, *list_engines(device))
    loops = {name: LOOPS[name](setting, device) for name in names}
    length = MODELS[setting.model]
    num_steps = context.choose_runs(length.cuda if device.type == "cuda" else length.cpu, 1)
    # The first steps are not counted: on a GPU they choose algorithms, and one is recorded.
    for loop in loops.values():
        loop.run_turn(max(num_steps, NUM_CUDA_STEPS) if device.type == "cuda" else 1)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(context.choose_runs(5, 2)):
        for name, loop in loops.items():
            rates[name].append(num_steps * setting.images_per_step / loop.run_turn(num_steps))
    prefix = f"{setting.model}, batch {setting.batch_size}"
    return {
        name: Measurement(f"{prefix}, {name}", "images/s", tuple(values))
        for name, values in rates.items()
    }


def compare_rates(
    context: Context, model: str, rates: dict[str, Measurement], device: torch.device
) -> Iterator[Measurement]:
    """Divide the engine's rates by the plain loop's of the same round."""
    for engine in list_engines(device):
        pairs = zip(rates[engine].values, rates[PLAIN].values, strict=True)
        ratios = tuple(ours / plain for ours, plain in pairs)
        bound = GOALS.get((device.type, engine))
        goal = None if bound is None or context.is_quick else Goal(bound, is_upper=False)
        yield Measurement(describe_ratio(model, engine), "x", ratios, goal)


def describe_ratio(model: str, engine: str) -> str:
    """Name the quantity that `format_ratios` looks for."""
    return f"{model}, {engine}: times as fast as the {PLAIN}"


def format_ratios(measurements: Iterable[Measurement], engine: str) -> list[str]:
    """Format the ratios of one way of the engine as lines `MODEL ratio N.N`."""
    found = {measurement.what: measurement.median for measurement in measurements}
    names = {model: describe_ratio(model, engine) for model in MODELS}
    return [f"{model} ratio {found[what]:.1f}" for model, what in names.items() if what in found]


def measure_peaks(
    context: Context, setting: Setting, device: torch.device
) -> Iterator[Measurement]:
    """Measure the peak memory of each loop, in a fresh process each; one that fails has no row."""
    free_cached_memory(device)
    for name in (PLAIN, *list_engines(device)):
        what = f"{setting.model}, batch {setting.batch_size}, {name}: peak memory"
        try:
            peak = measure_peak(context.root, name, setting, device)
        except subprocess.CalledProcessError as error:
            print(f"{what} was not measured: its process ended with {error.returncode}.")
            continue
        yield Measurement(what, "MB", (peak,))


def free_cached_memory(device: torch.device) -> None:
    """Give a GPU back what this process keeps of it and does not use."""
    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run this benchmark alone and end with its ratios; returns the exit status."""
    import argparse

    from benchmarks.runner import add_arguments, run_and_record
    from training.devices import select_device
    from training.errors import ProjectError

    parser = argparse.ArgumentParser(description="Time training against a plain loop.")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        precision = list_precisions(select_device(options.device))[-1]
        measurements = run_and_record(["training"], options)["training"]
    except ProjectError as error:
        print(error, file=sys.stderr)
        return 2
    if recorded := format_ratios(measurements, RECORDED):
        print("\n".join(["With --cuda-graph:", *recorded, "As a training computes by itself:"]))
    print("\n".join(format_ratios(measurements, precision)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
