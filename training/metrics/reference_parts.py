"""Real features and mode classifiers as the tensors and JSON facts of a reference file."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics.modes import ModeClassifier
from training.metrics.real_features import RealFeatures

Tensors = Mapping[str, NDArray[Any]]

MEASURED = "real.measured_indices"


def pack_real(real: RealFeatures) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return real features as tensors, features in float16, and facts."""
    tensors: dict[str, NDArray[Any]] = {
        "real.indices": real.indices,
        MEASURED: real.measured_indices,
        "real.features": real.features.astype(np.float16),
        "real.nearest_distances": real.nearest_distances,
    }
    facts = {
        "mean_pair_distance": real.mean_pair_distance,
        "pair_quantiles": [list(pair) for pair in real.pair_quantiles],
        "baselines": {key: [list(pair) for pair in pairs] for key, pairs in real.baselines.items()},
    }
    return tensors, facts


def unpack_real(tensors: Tensors, facts: Mapping[str, Any], dim: int) -> RealFeatures:
    """Build real features from what `pack_real` returned.

    Raises KeyError, TypeError or ValueError, saying what, if something is missing or does not fit.
    """
    indices, features = tensors["real.indices"], tensors["real.features"].astype(np.float32)
    measured, nearest = tensors[MEASURED], tensors["real.nearest_distances"]
    if features.shape != (len(indices), dim) or indices.ndim != 1 or indices.dtype != np.int64:
        raise ValueError(f"real features of shape {features.shape} for {indices.shape} indices")
    if measured.dtype != np.int64 or measured.ndim != 1 or not np.isin(indices, measured).all():
        raise ValueError("real features of images that were not measured")
    if nearest.shape != (101,) or not np.isfinite(nearest).all():
        raise ValueError(f"nearest distances of shape {nearest.shape}")
    if not np.isfinite(features).all():
        raise ValueError("real features that are not finite")
    return RealFeatures(
        indices=indices,
        features=features,
        measured_indices=measured,
        mean_pair_distance=float(facts["mean_pair_distance"]),
        pair_quantiles=_read_pairs(facts["pair_quantiles"], float),
        nearest_distances=nearest.astype(np.float32),
        baselines={str(k): _read_pairs(v, int) for k, v in facts["baselines"].items()},
    )


def space_evenly(num_images: int, num_measured: int) -> NDArray[np.int64]:
    """Return which of a data set's images were measured where a file of version 2 does not say."""
    return np.arange(num_measured, dtype=np.int64) * num_images // num_measured


def pack_modes(
    modes: tuple[ModeClassifier, ...],
) -> tuple[dict[str, NDArray[Any]], list[dict[str, Any]]]:
    """Return mode classifiers as tensors and facts."""
    tensors = {}
    for index, mode in enumerate(modes):
        tensors[f"modes.{index}.weight"] = mode.weight
        tensors[f"modes.{index}.bias"] = mode.bias
    facts = [
        {
            "name": mode.name,
            "values": list(mode.values),
            "accuracy": mode.accuracy,
            "real_shares": list(mode.real_shares),
            "num_held_out": mode.num_held_out,
        }
        for mode in modes
    ]
    return tensors, facts


def unpack_modes(
    tensors: Tensors, facts: list[dict[str, Any]], dim: int
) -> tuple[ModeClassifier, ...]:
    """Build mode classifiers from what `pack_modes` returned; raises as `unpack_real` does."""
    return tuple(_read_mode(tensors, index, row, dim) for index, row in enumerate(facts))


def _read_mode(tensors: Tensors, index: int, facts: dict[str, Any], dim: int) -> ModeClassifier:
    weight, bias = tensors[f"modes.{index}.weight"], tensors[f"modes.{index}.bias"]
    values = tuple(str(value) for value in facts["values"])
    shares = tuple(float(share) for share in facts["real_shares"])
    if weight.shape != (len(values), dim) or bias.shape != (len(values),):
        raise ValueError(f"a classifier of shape {weight.shape} for {len(values)} values")
    if len(shares) != len(values) or not np.isfinite(weight).all() or not np.isfinite(bias).all():
        raise ValueError("a classifier with shares or weights that do not fit")
    return ModeClassifier(
        name=str(facts["name"]),
        values=values,
        weight=weight.astype(np.float32),
        bias=bias.astype(np.float32),
        accuracy=float(facts["accuracy"]),
        real_shares=shares,
        num_held_out=int(facts["num_held_out"]),
    )


def _read_pairs(rows: Any, kind: type) -> tuple[tuple[Any, float], ...]:
    return tuple((kind(first), float(second)) for first, second in rows)
