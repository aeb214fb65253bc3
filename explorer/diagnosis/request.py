"""What a diagnosis is asked for: samples of a model, how much to measure, and against what."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.datasets.types import ImageDataset
from training.errors import MetricError
from training.latents import check_seed
from training.metrics.estimator import check_extractor
from training.metrics.extractors import Extractor
from training.metrics.real_features import RealFeatures
from training.metrics.reference import ReferenceStatistics

MIN_SAMPLES, MAX_SAMPLES = 64, 50_000


class SampleSource(Protocol):
    """Give features of a model's samples; sample i is of seed `base_seed` + i."""

    @property
    def model(self) -> str:
        """Return the model's name."""

    @property
    def base_seed(self) -> int:
        """Return the seed of sample 0."""

    @property
    def fingerprint(self) -> str:
        """Return the hash of the weights that the samples are of."""

    @property
    def extractor(self) -> Extractor:
        """Return the extractor, which real images are given to as well."""

    def get(self, start: int, count: int) -> NDArray[np.float32]:
        """Return the features (count, d) of samples start to start + count - 1."""

    def check_weights(self) -> None:
        """Raise MetricError if the model has other weights by now."""


@dataclass(frozen=True)
class DiagnosisOptions:
    """Say how much is measured.

    `has_sensitivity` moves the image in z, which needs the generator itself. Where the data set is
    here and its features are not yet known, `extract_dataset` says whether to extract them, which
    takes minutes once; without, copies are looked for among the images that the reference keeps.
    """

    num_samples: int = 1000
    has_sensitivity: bool = True
    extract_dataset: bool = True


def check_request(
    samples: SampleSource,
    reference: ReferenceStatistics,
    options: DiagnosisOptions,
    dataset: ImageDataset | None,
) -> RealFeatures:
    """Return the reference's real features; raises MetricError unless all fits together."""
    if not MIN_SAMPLES <= options.num_samples <= MAX_SAMPLES:
        raise MetricError(
            f"Diagnosis: found {options.num_samples} samples, expected {MIN_SAMPLES} to"
            f" {MAX_SAMPLES:,}."
        )
    check_seed(samples.base_seed + options.num_samples - 1)
    if reference.real is None:
        raise MetricError(
            f"Diagnosis: the reference of {reference.title} is of an older format, without features"
            " of single real images; make it anew with `python -m training reference`."
        )
    check_extractor(reference, samples.extractor)
    if dataset is not None and dataset.fingerprint != reference.dataset.get("fingerprint"):
        raise MetricError(
            f"Diagnosis: the reference is of {reference.title}, but the images given are those of"
            f" {dataset.title}; give the ones that the reference was made of, or none."
        )
    return reference.real
