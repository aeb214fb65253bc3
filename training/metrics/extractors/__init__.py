"""The networks whose features images are compared by: one file and one line in EXTRACTORS each."""

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
    return get_extractor_spec(key).load(weights, torch.device(device))
