"""Time and weigh the Frechet distance.

*From statistics*, at Inception's 2048 features: our eigenvalues with a Cholesky factor, against
SciPy's matrix root (as most FID code has it) and torch-fidelity's eigenvalues of the product, on
the same random covariances in turn. Our covariance factor is computed anew in every run.

*While samples come in*, at the default extractor's 1280 features: one more batch of 32 and a new
value, at 500 and at 5,000 samples; with interval and extrapolation scaled from earlier, and with
both computed anew. *Memory* is what the estimator holds after N samples.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measurement import Context, Goal, Measurement, time_runs, to_milliseconds

if TYPE_CHECKING:
    from training.metrics.frechet import FeatureStatistics
    from training.metrics.frechet_estimator import FrechetEstimator

DIM, LIVE_DIM = 2048, 1280
BATCH_SIZE = 32
MIN_TIMES_SCIPY, MIN_TIMES_FIDELITY = 5.0, 1.0
MAX_UPDATE_MS = 150.0


def run_frechet(context: Context) -> Iterator[Measurement]:
    """Measure seconds from statistics, milliseconds of an update, and megabytes."""
    yield from measure_from_statistics(context)
    yield from measure_updates(context)
    yield from measure_memory(context)


def draw_features(num_samples: int, dim: int, seed: int) -> np.ndarray:
    """Draw float32 features whose variances fall over three decades, as a network's do."""
    generator = np.random.default_rng(seed)
    scale = np.exp(-7 * np.arange(dim) / dim).astype(np.float32)
    return generator.standard_normal((num_samples, dim), dtype=np.float32) * scale + 0.01 * seed


def measure_from_statistics(context: Context) -> Iterator[Measurement]:
    """Measure three ways from means and covariances to a distance, in turns."""
    from training.metrics.frechet import compute_statistics

    dim = context.choose_runs(DIM, 96)
    ours, theirs = (compute_statistics(draw_features(2 * dim, dim, seed)) for seed in (1, 2))
    ways: dict[str, Callable[..., float]] = {
        "ours": compute_ours, "SciPy's sqrtm": compute_by_scipy,
        "torch-fidelity": compute_by_fidelity,
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    small = compute_statistics(draw_features(64, 16, 3))
    for compute in ways.values():
        compute(small, small)  # imports
    for _ in range(context.choose_runs(3, 2)):
        for name, compute in ways.items():
            start = time.perf_counter()
            compute(ours, theirs)
            seconds[name].append(time.perf_counter() - start)
    for name, values in seconds.items():
        yield Measurement(f"distance from statistics, d = {dim}, {name}", "s", tuple(values))
    for name, goal in (("SciPy's sqrtm", MIN_TIMES_SCIPY), ("torch-fidelity", MIN_TIMES_FIDELITY)):
        pairs = zip(seconds[name], seconds["ours"], strict=True)
        ratios = tuple(theirs / ours for theirs, ours in pairs)
        bound = None if context.is_quick else Goal(goal, is_upper=False)
        yield Measurement(f"times as fast as {name}", "x", ratios, bound)


def compute_ours(samples: FeatureStatistics, reference: FeatureStatistics) -> float:
    """Compute the distance with nothing known beforehand."""
    from training.metrics.frechet import FeatureStatistics, compute_frechet_distance

    fresh = FeatureStatistics(reference.mean, reference.covariance, reference.num_samples)
    return compute_frechet_distance(samples, fresh)


def compute_by_scipy(samples: FeatureStatistics, reference: FeatureStatistics) -> float:
    """Compute the distance with SciPy's root of the product of the covariances."""
    import scipy.linalg

    root = scipy.linalg.sqrtm(samples.covariance @ reference.covariance)
    traces = np.trace(samples.covariance) + np.trace(reference.covariance)
    delta = samples.mean - reference.mean
    return float(delta @ delta + traces - 2 * np.trace(root).real)


def compute_by_fidelity(samples: FeatureStatistics, reference: FeatureStatistics) -> float:
    """Compute the distance as torch-fidelity does."""
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    both = ({"mu": s.mean, "sigma": s.covariance} for s in (samples, reference))
    metrics = fid_statistics_to_metric(*both, verbose=False)
    return float(metrics["frechet_inception_distance"])


def measure_updates(context: Context) -> Iterator[Measurement]:
    """Measure one more batch and a new value, with and without a new interval and limit."""
    for num_samples in (500, 5000):
        for is_exact in (False, True):
            estimator = build_estimator(num_samples)
            estimator.compute()
            batch = draw_features(BATCH_SIZE, LIVE_DIM, 3)

            def update(_: int, known: FrechetEstimator, more: np.ndarray, exact: bool) -> None:
                known.update(more)
                known.compute(exact)

            # No more runs than leave the number of samples nearly as it is.
            run = partial(update, known=estimator, more=batch, exact=is_exact)
            seconds = time_runs(run, context.choose_runs(3, 2))
            what = "value, interval and limit anew" if is_exact else "value anew"
            # Live updates are those that scale the interval.
            has_goal = num_samples == 500 and not is_exact and not context.is_quick
            goal = Goal(MAX_UPDATE_MS) if has_goal else None
            yield Measurement(
                f"update at N = {num_samples:,}, d = {LIVE_DIM}, {what}",
                "ms",
                to_milliseconds(seconds),
                goal,
            )


def build_estimator(num_samples: int) -> FrechetEstimator:
    """Build an estimator that has seen so many samples."""
    from training.metrics.frechet import compute_statistics
    from training.metrics.frechet_estimator import FrechetEstimator

    estimator = FrechetEstimator(compute_statistics(draw_features(4000, LIVE_DIM, 1)))
    for start in range(0, num_samples, 500):
        estimator.update(draw_features(min(500, num_samples - start), LIVE_DIM, 2))
    return estimator


def measure_memory(context: Context) -> Iterator[Measurement]:
    """Measure what an estimator holds after a few and after many samples."""
    from training.metrics.frechet import FeatureStatistics
    from training.metrics.frechet_estimator import FrechetEstimator

    dim = context.choose_runs(LIVE_DIM, 64)
    reference = FeatureStatistics(np.zeros(dim), np.eye(dim), 10_000)
    for num_samples in (8 * dim, 32 * dim):
        tracemalloc.start()
        estimator = FrechetEstimator(reference)
        for start in range(0, num_samples, 512):
            estimator.update(draw_features(min(512, num_samples - start), dim, start % 7))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        what = f"held by the estimator after N = {estimator.num_samples:,}, d = {dim}"
        yield Measurement(what, "MB", (held / 1e6,))
