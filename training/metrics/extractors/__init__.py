"""The networks whose features images are compared by: one file and one line in EXTRACTORS each."""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from training.errors import MetricError
from training.metrics.extractors.base import Extractor, ExtractorSpec, LinearHead
from training.metrics.extractors.efficientnet_lite0 import EFFICIENTNET_LITE0
from training.metrics.extractors.inception import INCEPTION

__all__ = [
    "DEFAULT_EXTRACTOR",
    "EXTRACTORS",
    "Extractor",
    "ExtractorSpec",
    "LinearHead",
    "get_extractor_spec",
    "identify_weights",
    "load_extractor",
]

EXTRACTORS: dict[str, ExtractorSpec] = {spec.key: spec for spec in (EFFICIENTNET_LITE0, INCEPTION)}
DEFAULT_EXTRACTOR = EFFICIENTNET_LITE0.key


def get_extractor_spec(key: str) -> ExtractorSpec:
    """Look up an extractor; raises MetricError naming the known ones."""
    if key not in EXTRACTORS:
        raise MetricError(f"Extractor: found {key!r}, expected one of {', '.join(EXTRACTORS)}.")
    return EXTRACTORS[key]


def load_extractor(
    key: str, weights: Path | None = None, device: torch.device | str = "cpu"
) -> Extractor:
    """Load an extractor's network onto a device; `weights` replaces where it looks by itself.

    Raises MetricError if the weights are absent, damaged or not the ones expected, or if an
    optional package is missing.
    """
    extractor = get_extractor_spec(key).load(weights, torch.device(device))
    return replace(extractor, weights=identify_weights(key, weights))


def identify_weights(key: str, weights: Path | None) -> str | None:
    """Return 16 digits of the SHA-256 of a file of weights; None for an extractor's usual ones.

    Features of other weights are another measure, though of the same network. Raises MetricError
    if the file cannot be read.
    """
    spec = get_extractor_spec(key)
    if weights is None or spec.has_fixed_weights:
        return None
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MetricError(
            f"Extractor {key}: the weights file {weights} cannot be read ({error.strerror}); check"
            " the path, or leave it out to use the usual places."
        ) from error
    return None if found == spec.usual_weights_sha256 else found[:16]
