"""Measure how fast the machine convolves at best, and which share of that a DCGAN step reaches.

The ceiling is the best rate over a few large convolutions of the kinds that GANs are made of, each
forward and backward, channels_last. The step's arithmetic is counted by PyTorch as it runs: its
convolutions are nearly all of it. float32 on CUDA is TF32, as PyTorch has it for convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.loops import BFLOAT16, EngineTurns, Setting, list_precisions, wait_for
from benchmarks.measurement import Context, Measurement, time_runs

if TYPE_CHECKING:
    import torch

COUNTED_BATCH = 2


@dataclass(frozen=True)
class Convolution:
    """Describe a convolution of square images, padded by one pixel."""

    channels_in: int
    channels_out: int
    size: int
    kernel: int
    stride: int

    def __str__(self) -> str:
        kind = f"{self.kernel}x{self.kernel}/{self.stride}"
        return f"{kind}, {self.channels_in} to {self.channels_out} maps of {self.size} px"


CONVOLUTIONS = (
    Convolution(64, 128, 32, 4, 2),
    Convolution(128, 256, 16, 4, 2),
    Convolution(256, 512, 8, 4, 2),
    Convolution(128, 128, 32, 3, 1),
    Convolution(256, 256, 16, 3, 1),
)


def count_flops(run: Callable[[], object]) -> int:
    """Count the floating-point operations of products and convolutions, additions included."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def count_step_flops(setting: Setting) -> float:
    """Count the operations of a full step per real image, in a small batch on the CPU."""
    import torch

    small = Setting(setting.model, COUNTED_BATCH, setting.resolution)
    loop = EngineTurns(small, torch.device("cpu"), has_autocast=False)
    return count_flops(loop.run_step) / small.images_per_step


def build_pass(
    convolution: Convolution, batch_size: int, device: torch.device, dtype: torch.dtype
) -> Callable[[], object]:
    """Build a function that runs a convolution forward and backward once."""
    import torch

    shape = (batch_size, convolution.channels_in, convolution.size, convolution.size)
    layer = torch.nn.Conv2d(
        convolution.channels_in,
        convolution.channels_out,
        convolution.kernel,
        convolution.stride,
        padding=1,
        bias=False,
    ).to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(shape, device=device, dtype=dtype)
    images = images.to(memory_format=torch.channels_last).requires_grad_(True)
    gradient = torch.randn_like(layer(images))

    def run() -> None:
        images.grad = layer.weight.grad = None
        layer(images).backward(gradient)

    return run


def measure_ceiling(context: Context, device: torch.device, precision: str) -> Measurement:
    """Measure the best billions of operations a second over CONVOLUTIONS."""
    import torch

    is_cuda = device.type == "cuda"
    batch_size = 8 if context.is_quick else 1024 if is_cuda else 128
    repeats = context.choose_runs(20 if is_cuda else 1, 1)
    dtype = torch.bfloat16 if precision == BFLOAT16 else torch.float32
    rates: dict[Convolution, tuple[float, ...]] = {}
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
        for convolution in CONVOLUTIONS:
            run = build_pass(convolution, batch_size, device, dtype)
            flops = repeats * count_flops(run)
            runs = time_runs(partial(repeat, run, repeats, device), context.choose_runs(7, 2), 2)
            rates[convolution] = tuple(flops / seconds / 1e9 for seconds in runs)
    best, values = max(rates.items(), key=lambda item: sorted(item[1])[len(item[1]) // 2])
    what = f"convolution ceiling, {precision} ({best}, batch {batch_size})"
    return Measurement(what, "GFLOP/s", values)


def repeat(run: Callable[[], object], times: int, device: torch.device, _: int) -> None:
    """Run something so many times and wait for the device."""
    for _turn in range(times):
        run()
    wait_for(device)


def run_convolutions(
    context: Context, device: torch.device, setting: Setting, rates: dict[str, Measurement]
) -> Iterator[Measurement]:
    """Measure the ceiling, and the share of it that steps reach at the rates (images a second)."""
    gigaflops = count_step_flops(setting) / 1e9
    what = f"{setting.model}: arithmetic of a step, per image"
    yield Measurement(what, "GFLOP", (gigaflops,))
    for precision in list_precisions(device):
        ceiling = measure_ceiling(context, device, precision)
        yield ceiling
        values = (100 * rate * gigaflops / ceiling.median for rate in rates[precision].values)
        what = f"{setting.model}, {precision}: share of the ceiling"
        yield Measurement(what, "%", tuple(values))
