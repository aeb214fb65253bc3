"""Long series of numbers -> few enough points to draw: the extremes, and the run of the mean."""

import numpy as np

MAX_POINTS = 1000
NUM_BUCKETS = 250
SMOOTH_DECAY = 0.8


def pick_extremes(values: np.ndarray, max_points: int = MAX_POINTS) -> np.ndarray:
    """Pick the indices of at most ``max_points`` (4 or more) of finite values (N,), growing.

    The series is cut into equal pieces, of which the smallest and the largest value stay, and so do
    the first and the last of all: no peak and no dip is lost.
    """
    count = len(values)
    if count <= max_points:
        return np.arange(count)
    num_pieces = max_points // 2 - 1
    size = -(-count // num_pieces)
    starts = np.arange(0, count, size)
    padding = (0, len(starts) * size - count)
    low = np.pad(values, padding, constant_values=np.inf).reshape(-1, size).argmin(axis=1)
    high = np.pad(values, padding, constant_values=-np.inf).reshape(-1, size).argmax(axis=1)
    return np.unique(np.concatenate([[0], starts + low, starts + high, [count - 1]]))


def smooth_series(
    x: np.ndarray, values: np.ndarray, num_buckets: int = NUM_BUCKETS, decay: float = SMOOTH_DECAY
) -> tuple[np.ndarray, np.ndarray]:
    """Smooth finite values (N,) at ``x`` (N,); returns at most ``num_buckets`` points.

    Each is the exponential moving average of the means of equal pieces, placed at its piece's last
    x. It starts at the first mean, not at 0: the weights are divided by their sum, as in Adam
    (Kingma and Ba 2015).
    """
    size = max(1, -(-len(values) // num_buckets))
    starts = np.arange(0, len(values), size)
    if not len(starts):
        return x[:0], values[:0]
    ends = np.minimum(starts + size, len(values))
    means = np.add.reduceat(values, starts) / (ends - starts)
    smoothed, total, weight = np.empty(len(means)), 0.0, 0.0
    for index, mean in enumerate(means):
        total = decay * total + (1 - decay) * mean
        weight = decay * weight + (1 - decay)
        smoothed[index] = total / weight
    return x[ends - 1], smoothed
