"""The Inception Score: how sure a classifier is of each sample, and how various its answers are.

Salimans et al. 2016: exp of the mean Kullback-Leibler divergence of the samples' class
probabilities to their average. No real images take part, so it cannot see missing modes within a
class nor images that are wrong but confidently classified.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import MetricError

NUM_SPLITS = 10
MIN_SAMPLES = NUM_SPLITS


@dataclass(frozen=True)
class InceptionScore:
    """Hold mean and standard deviation (over N, not N - 1) of the scores of the splits."""

    value: float
    deviation: float
    num_splits: int


def compute_inception_score(
    logits: NDArray[np.floating], num_splits: int = NUM_SPLITS
) -> InceptionScore:
    """Compute the Inception Score of logits (N, C) in order, in float64: 1 to C, higher is better.

    The N samples are cut into `num_splits` consecutive parts of nearly N / num_splits. Raises
    MetricError below one sample per part.
    """
    if logits.ndim != 2 or not 1 <= num_splits <= len(logits):
        raise MetricError(
            f"Inception Score: found logits of shape {logits.shape} for {num_splits} splits,"
            " expected (N, C) with at least one sample per split; use more samples."
        )
    edges = [part * len(logits) // num_splits for part in range(num_splits + 1)]
    scores = [
        _score_part(logits[start:end].astype(np.float64))
        for start, end in itertools.pairwise(edges)
    ]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)), num_splits)


def _score_part(logits: NDArray[np.float64]) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (n, C)
    p = np.exp(log_p)
    marginal = p.mean(axis=0)
    # Where the average underflows to 0 every p does, and 0 log 0 counts as 0.
    log_marginal = np.log(np.maximum(marginal, np.finfo(np.float64).tiny))
    divergences = (p * (log_p - log_marginal)).sum(axis=1)
    return float(np.exp(divergences.mean()))
