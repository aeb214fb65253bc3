"""What real images get in the metrics: the mark that a generator's samples are held against."""

import numpy as np
from numpy.typing import NDArray

from training.metrics.real_features import Baselines
from training.metrics.registry import METRICS, Metric

FloatFeatures = NDArray[np.floating]

BASELINE_LADDER = (128, 256, 512, 1024, 2048)
# Means over so many disjoint parts at most: few images vary more, and more parts cost time.
MAX_PARTS = 4
# Of fewer, single images decide.
MIN_HELD_OUT = 16
SHUFFLE_SEED = 0


def measure_baselines(kept: FloatFeatures, held_out: FloatFeatures) -> Baselines:
    """Measure what held-out real features (H, d) get against those kept (K, d), per metric.

    The counts N are those of the ladder 128 to 2048 up to H, and H itself if it is below 2048.
    Values are means over up to 4 disjoint parts of N. A metric with too few kept or held out has
    no pairs. Takes seconds at K = 2048.
    """
    # Neighbours in a data set may be alike, so parts are not taken in its order.
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(held_out))
    return {
        key: _measure_baseline(metric, kept, held_out, order) if _has_enough(metric, kept) else ()
        for key, metric in METRICS.items()
    }


def find_baseline(baselines: Baselines, key: str, num_samples: int) -> float | None:
    """Return what this many real images get in a metric; None where it was not measured.

    Between two measured counts the value is linear in log N. Above the largest one it stays: the
    metrics either do not grow with N, or take no more samples than there are real features.
    """
    pairs = baselines.get(key, ())
    if not pairs or num_samples < pairs[0][0]:
        return None
    counts, values = zip(*pairs, strict=True)
    return float(np.interp(np.log(num_samples), np.log(counts), values))


def _has_enough(metric: Metric, kept: FloatFeatures) -> bool:
    return len(kept) >= metric.min_samples


def _measure_baseline(
    metric: Metric, kept: FloatFeatures, held_out: FloatFeatures, order: NDArray[np.int64]
) -> tuple[tuple[int, float], ...]:
    prepared = metric.prepare(kept)
    pairs = []
    for count in _choose_counts(len(held_out)):
        num_parts = min(MAX_PARTS, len(held_out) // count)
        parts = (held_out[order[i * count : (i + 1) * count]] for i in range(num_parts))
        values = [metric.compare(part, kept, prepared).value for part in parts]
        pairs.append((count, float(np.mean(values))))
    return tuple(pairs)


def _choose_counts(num_held_out: int) -> list[int]:
    if num_held_out < MIN_HELD_OUT:
        return []
    counts = [count for count in BASELINE_LADDER if count < num_held_out]
    return [*counts, num_held_out] if num_held_out <= BASELINE_LADDER[-1] else counts
