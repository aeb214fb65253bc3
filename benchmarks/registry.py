"""Register the benchmarks: one file each, one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.animation import run_animation
from benchmarks.extraction import run_extraction
from benchmarks.frechet import run_frechet
from benchmarks.learning import run_learning
from benchmarks.live_score import run_live_score
from benchmarks.measurement import Context, Measurement
from benchmarks.memory import run_memory
from benchmarks.resolutions import run_resolutions
from benchmarks.sampling import run_sampling
from benchmarks.slider import run_slider
from benchmarks.startup import run_startup
from benchmarks.training import run_training


@dataclass(frozen=True)
class Benchmark:
    """Hold a benchmark's title and the function that yields its measurements.

    The function raises UnavailableError where the machine lacks what it needs.
    """

    title: str
    run: Callable[[Context], Iterator[Measurement]]


BENCHMARKS: dict[str, Benchmark] = {
    "startup": Benchmark("start to the first sample on the page", run_startup),
    "memory": Benchmark("memory of the app after the first sample", run_memory),
    "slider": Benchmark("slider to pixels in a browser", run_slider),
    "live_score": Benchmark("scores while they are computed", run_live_score),
    "sampling": Benchmark("seeds to images", run_sampling),
    "animation": Benchmark("a morph from latents to a file, in every format", run_animation),
    "frechet": Benchmark("Frechet distances", run_frechet),
    "extraction": Benchmark("features a second", run_extraction),
    "training": Benchmark("training, and against a plain loop", run_training),
    "resolutions": Benchmark("training at 32 to 256 px", run_resolutions),
    "learning": Benchmark("scores before and after at 128 and 256 px", run_learning),
}
