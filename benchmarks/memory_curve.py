"""Watch the memory of a training for an hour: `python -m benchmarks.memory_curve --minutes 60`.

A small DCGAN trains on avatars by the real command, in a temporary folder and a process of its
own, with logs, grids, snapshots, saves and scores every few steps, so that hundreds of each fall
into the hour. The slope of its resident memory is fitted after a warm-up, with a 95 % interval:
where that holds zero, nothing piles up. A score takes memory and gives it back, so what counts is
the level that readings fall back to, their 10th percentile; and readings of neighbouring seconds
tell nearly the same, so it is taken of twenty blocks, and the error comes from how those scatter.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
WARM_UP_SHARE = 0.2
NUM_BLOCKS = 20
BASE_LEVEL = 10  # percentile
TRAINING = {
    "--model": "dcgan",
    "--data": "avatars",
    "--name": "memory",
    "--resolution": "32",
    "--max-images": "128",
    "--width": "16",
    "--batch-size": "16",
    "--log-every": "5",
    "--grid-every": "50",
    "--save-every": "50",
    "--score-every": "50",
    "--score-samples": "64",
}


@dataclass(frozen=True)
class Curve:
    """Hold readings of resident memory: seconds since the start, and megabytes."""

    seconds: NDArray[np.float64]
    megabytes: NDArray[np.float64]

    def skip(self, share: float) -> Curve:
        """Leave out a share of the time from the start."""
        is_kept = self.seconds >= share * self.seconds[-1]
        return Curve(self.seconds[is_kept], self.megabytes[is_kept])


@dataclass(frozen=True)
class Slope:
    """Hold a slope in megabytes an hour, its 95 % interval's half width, and the line's start."""

    per_hour: float
    half_width: float
    intercept: float

    def __str__(self) -> str:
        return f"{self.per_hour:+.2f} ± {self.half_width:.2f} MB per hour (95 %)"


def fit_slope(curve: Curve, num_blocks: int = NUM_BLOCKS) -> Slope:
    """Fit a line through the base levels of consecutive blocks of readings, by least squares."""
    from scipy import stats

    if len(curve.seconds) < 3:
        raise ValueError(f"{len(curve.seconds)} readings make no slope with an error: 3 do")
    blocks = np.array_split(np.arange(len(curve.seconds)), min(num_blocks, len(curve.seconds)))
    hours = np.array([curve.seconds[block].mean() / 3600 for block in blocks])
    megabytes = np.array([np.percentile(curve.megabytes[block], BASE_LEVEL) for block in blocks])
    fit = stats.linregress(hours, megabytes)
    quantile = float(stats.t.ppf(0.975, len(blocks) - 2))
    return Slope(float(fit.slope), quantile * float(fit.stderr), float(fit.intercept))


def record_training(minutes: float, interval: float, device: str, folder: Path) -> Curve:
    """Train for some minutes and read the resident memory every `interval` seconds."""
    flags = {**TRAINING, "--minutes": f"{minutes:g}", "--device": device}
    flags |= {f"--{name}": str(folder / name) for name in ("runs", "checkpoints", "cache-dir")}
    words = [word for pair in flags.items() for word in pair]
    command = [sys.executable, "-m", "training", "train", *words]
    started, readings = time.monotonic(), []
    with (folder / "log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                # One that has just ended holds nothing, and is no reading.
                if megabytes := read_megabytes(process.pid):
                    readings.append((time.monotonic() - started, megabytes))
                time.sleep(interval)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"The training ended with {process.returncode}:\n{log.read()}")
    seconds, megabytes_read = np.array(readings).T
    return Curve(seconds, megabytes_read)


def read_megabytes(pid: int) -> float:
    """Read the resident memory of a process and its children; 0 if it has ended."""
    import psutil

    from benchmarks.memory import read_resident_bytes

    try:
        return read_resident_bytes(pid) / 1e6
    except psutil.NoSuchProcess:  # it, or a child of it, between two looks
        return 0.0


def count_events(folder: Path) -> str:
    """Count what a training wrote, for people."""
    from training.history import read_history, select_scores
    from training.runs import RunFolder

    run = RunFolder(folder / "runs" / TRAINING["--name"])
    rows = read_history(run.metrics_path)
    num_snapshots = len(list(run.snapshots.glob("*.safetensors")))
    return (
        f"{rows[-1]['step']:,} steps, {len(rows):,} rows of metrics, "
        f"{len(select_scores(rows))} scores, {num_snapshots} snapshots"
    )


def draw_chart(path: Path, curve: Curve, settled: Curve, slope: Slope) -> None:
    """Draw memory over time with the fitted line; the suffix of the path chooses SVG or PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve.seconds / 60, curve.megabytes, color="#7d9bb8", linewidth=1)
    ends = settled.seconds[[0, -1]]
    line = slope.intercept + slope.per_hour * ends / 3600
    axes.plot(ends / 60, line, color="#a8442a", linewidth=1.5, linestyle="--")
    axes.set(xlabel="minutes", ylabel="resident memory, MB", title=str(slope), ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=200)


def main(arguments: Sequence[str] | None = None) -> None:
    """Record, fit, print, and draw if asked."""
    from benchmarks.machine import describe_machine, describe_versions

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory_curve", description="Watch the memory of a training."
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="how long to train (60)")
    parser.add_argument("--interval", type=float, default=2.0, help="seconds from one reading on")
    parser.add_argument("--device", default="auto", help="auto (the default), cpu or cuda")
    parser.add_argument("--chart", type=Path, help="draw the curve into this .svg or .png")
    parser.add_argument("--quick", action="store_true", help="train for 20 seconds only")
    options = parser.parse_args(arguments)
    minutes, interval = (1 / 3, 0.2) if options.quick else (options.minutes, options.interval)
    print("; ".join(describe_machine(options.device)), describe_versions(ROOT), sep="\n")
    with tempfile.TemporaryDirectory() as name:
        curve = record_training(minutes, interval, options.device, Path(name))
        print(count_events(Path(name)))
    settled = curve.skip(WARM_UP_SHARE)
    slope = fit_slope(settled)
    low, high = settled.megabytes.min(), settled.megabytes.max()
    print(f"{low:.0f} to {high:.0f} MB from minute {settled.seconds[0] / 60:.1f} on: {slope}")
    if options.chart:
        draw_chart(options.chart, curve, settled, slope)
        print(f"Wrote {options.chart}")


if __name__ == "__main__":
    main()
