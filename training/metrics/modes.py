"""Known modes: small classifiers of labels, trained on the features of real images.

They show which kinds of image a generator makes, how often, and which it never makes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.datasets.types import LabelColumn
from training.errors import MetricError

MIN_VALUES, MAX_VALUES = 2, 32
HELD_OUT_SHARE = 0.2
SPLIT_SEED = 0
# Chosen on held-out avatars among 0.003 to 0.3; half or twice as much changes nothing.
WEIGHT_DECAY = 0.01
# An image weighs (its value's frequency) ** -0.5. Unweighted, rare values are seen too rarely
# (avatars' chin beards 0.8 times as often as there are), fully balanced too often (1.26 times).
BALANCE = 0.5
MAX_ITERATIONS = 60
MIN_IMAGES = 20


@dataclass(frozen=True, eq=False)
class ModeClassifier:
    """Hold a linear classifier of one label column, on the extractor's features as they are.

    weight (C, d), bias (C,): float32, standardisation folded in. `accuracy` is the share of
    `num_held_out` real images, none of which it learned from, that it gets right; `real_shares`
    (C) are the shares of the values as it sees them on these images, mistakes included, so that
    shares of samples compare with them.
    """

    name: str
    values: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    accuracy: float
    real_shares: tuple[float, ...]
    num_held_out: int

    def classify(self, features: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the most likely value of each image, (N,) indices, from features (N, d)."""
        logits = features @ self.weight.T + self.bias  # (N, C)
        labels: NDArray[np.int64] = logits.argmax(axis=1).astype(np.int64)
        return labels


@dataclass(frozen=True, eq=False)
class DegradedFeatures:
    """Hold features (D, d) of degraded images, and which of the real images (D,) each was."""

    features: NDArray[np.floating]
    rows: NDArray[np.int64]


def train_mode_classifiers(
    features: NDArray[np.floating],
    labels: NDArray[np.int64],
    columns: Sequence[LabelColumn],
    degraded: DegradedFeatures | None = None,
) -> tuple[ModeClassifier, ...]:
    """Train a classifier for each label column of 2 to 32 values, by logistic regression.

    features (M, d) and labels (M, L) belong to the same images; column j of the labels are indices
    into `columns[j].values`. All columns are fitted at once, deterministically; 10,000 images take
    seconds. Images of rare values weigh more. A fifth of the images, chosen by a fixed seed, is
    held out to measure with. Columns of fewer or more values are left out; no images or too few
    (20) to learn from give (). `degraded` versions of images that are not held out are learned
    from as well, so that a generator's artefacts are not taken for values.

    Raises MetricError if the arrays do not fit together.
    """
    _check_arrays(features, labels, columns)
    chosen = [
        j for j, column in enumerate(columns) if MIN_VALUES <= len(column.values) <= MAX_VALUES
    ]
    if not chosen or len(features) < MIN_IMAGES:
        return ()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(features))
    num_held_out = max(1, round(HELD_OUT_SHARE * len(features)))
    held_out, learned = np.sort(order[:num_held_out]), np.sort(order[num_held_out:])
    sizes = [len(columns[j].values) for j in chosen]
    seen, truth = features[learned], labels[learned][:, chosen]
    if degraded is not None:
        is_learned = np.isin(degraded.rows, learned)
        seen = np.concatenate([seen, degraded.features[is_learned]])
        truth = np.concatenate([truth, labels[degraded.rows[is_learned]][:, chosen]])
    weights, biases = _fit(seen, truth, sizes)
    ends = np.cumsum(sizes)[:-1]
    parts = zip(np.split(weights, ends), np.split(biases, ends), chosen, strict=True)
    return tuple(
        _measure(columns[j], weight, bias, features[held_out], labels[held_out, j])
        for weight, bias, j in parts
    )


def _fit(
    features: NDArray[np.floating], labels: NDArray[np.int64], sizes: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit all columns' logistic regressions at once: weights (sum C, d) and biases (sum C)."""
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 1e-6 * max(float(deviation.max()), 1e-30), deviation, np.inf)
    x = torch.from_numpy(((features - mean) / scale).astype(np.float32))  # (M, d)
    targets = torch.from_numpy(labels).unbind(dim=1)
    weight = torch.zeros(sum(sizes), x.shape[1], requires_grad=True)
    bias = torch.zeros(sum(sizes), requires_grad=True)
    balances = [_balance(values, size) for values, size in zip(targets, sizes, strict=True)]
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=MAX_ITERATIONS, history_size=10, line_search_fn="strong_wolfe"
    )

    def compute_loss() -> Tensor:
        optimizer.zero_grad()
        logits = functional.linear(x, weight, bias).split(list(sizes), dim=1)
        losses = [
            functional.cross_entropy(scores, values, weight=balance)
            for scores, values, balance in zip(logits, targets, balances, strict=True)
        ]
        loss = torch.stack(losses).sum() + WEIGHT_DECAY / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(compute_loss)
    found = weight.detach().numpy().astype(np.float64) / scale  # an unvarying feature weighs 0
    return found.astype(np.float32), (bias.detach().numpy() - found @ mean).astype(np.float32)


def _balance(labels: Tensor, num_values: int) -> Tensor:
    return torch.bincount(labels, minlength=num_values).clamp(min=1).float() ** -BALANCE


def _measure(
    column: LabelColumn,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    features: NDArray[np.floating],
    labels: NDArray[np.int64],
) -> ModeClassifier:
    blank = ModeClassifier(column.name, column.values, weight, bias, 0.0, (), 0)
    seen = blank.classify(features)
    shares = np.bincount(seen, minlength=len(column.values)) / len(seen)
    return ModeClassifier(
        name=column.name,
        values=column.values,
        weight=weight,
        bias=bias,
        accuracy=float((seen == labels).mean()),
        real_shares=tuple(float(share) for share in shares),
        num_held_out=len(seen),
    )


def _check_arrays(
    features: NDArray[np.floating], labels: NDArray[np.int64], columns: Sequence[LabelColumn]
) -> None:
    if features.ndim != 2 or labels.shape != (len(features), len(columns)):
        raise MetricError(
            f"Mode classifiers: found features {features.shape} and labels {labels.shape} of"
            f" {len(columns)} columns, expected features (M, d) and labels (M, {len(columns)})."
        )
    for column, values in zip(columns, labels.T, strict=True):
        if len(values) and not 0 <= values.min() <= values.max() < len(column.values):
            raise MetricError(
                f"Mode classifiers: the labels of {column.name} go from {values.min()} to"
                f" {values.max()}, expected indices into its {len(column.values)} values."
            )
