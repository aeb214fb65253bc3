"""Reference statistics of real images: the record, and its file.

A file is safetensors: the mean, and the upper triangle of the symmetric covariance, both float64;
features kept, and mode classifiers; the rest is a JSON text in the metadata. Older files are still
read: those of version 1 have statistics only, those of version 2 do not list which images were
measured, since they were evenly spaced.
"""

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from training.cores import on_one_blas_thread
from training.errors import MetricError
from training.files import explain_write_errors, write_bytes
from training.metrics.frechet import FeatureStatistics, FloatArray
from training.metrics.modes import ModeClassifier
from training.metrics.noise_floor import NoiseFloor, interpolate_noise_floor
from training.metrics.real_features import RealFeatures
from training.metrics.reference_parts import (
    MEASURED,
    pack_modes,
    pack_real,
    space_evenly,
    unpack_modes,
    unpack_real,
)

FORMAT_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)
METADATA_KEY = "latent_explorer_reference"
WEIGHTS_KEY = "extractor_weights"  # of `details`, where they are not the usual ones


@dataclass(frozen=True, eq=False)
class ReferenceStatistics:
    """Hold the feature statistics of a real data set, and its noise floor.

    `noise_floor` has (N, score) pairs of growing N: what N real images score against the others,
    reduced to a reference of all `statistics.num_samples` images. `details` says how many of the
    data set's images were used, how they were chosen, and which weights of one's own the extractor
    had, if any. `real` keeps features of some of the
    images (None in files of format version 1), and `modes` a classifier for each label column.
    """

    dataset: dict[str, Any]
    extractor: str
    statistics: FeatureStatistics
    noise_floor: NoiseFloor
    details: dict[str, Any] = field(default_factory=dict)
    real: RealFeatures | None = None
    modes: tuple[ModeClassifier, ...] = ()

    @property
    def name(self) -> str:
        """Return the data set's name."""
        return str(self.dataset.get("name", "unknown"))

    @property
    def weights(self) -> str | None:
        """Return which weights of one's own the extractor had; None for the usual ones."""
        found = self.details.get(WEIGHTS_KEY)
        return None if found is None else str(found)

    @property
    def title(self) -> str:
        """Return the data set's title for people, its name where it has none."""
        return str(self.dataset.get("title") or self.name)

    def get_noise_floor(self, num_samples: int) -> float:
        """Return what `num_samples` perfect samples are expected to score.

        Interpolated between measured counts, estimated beyond them; see `is_noise_floor_measured`.
        """
        return interpolate_noise_floor(self.noise_floor, num_samples, self.statistics.num_samples)

    def is_noise_floor_measured(self, num_samples: int) -> bool:
        """Tell whether the noise floor at this count lies between measured ones.

        If not, it is extrapolated, and should be shown as approximate ("~").
        """
        return self.noise_floor[0][0] <= num_samples <= self.noise_floor[-1][0]


def save_reference(path: Path, reference: ReferenceStatistics) -> None:
    """Write reference statistics to one file, atomically; raises ProjectError if that fails."""
    statistics = reference.statistics
    tensors = {
        "mean": np.ascontiguousarray(statistics.mean),
        "covariance_upper": statistics.covariance[np.triu_indices(statistics.dim)],
    }
    mode_tensors, mode_facts = pack_modes(reference.modes)
    real_tensors, real_facts = pack_real(reference.real) if reference.real else ({}, None)
    facts = {
        "format_version": FORMAT_VERSION,
        "dataset": reference.dataset,
        "extractor": reference.extractor,
        "num_samples": statistics.num_samples,
        "noise_floor": [list(pair) for pair in reference.noise_floor],
        "details": reference.details,
        "real": real_facts,
        "modes": mode_facts,
    }
    metadata = {METADATA_KEY: json.dumps(facts)}
    with explain_write_errors(path):
        write_bytes(path, serialize({**tensors, **real_tensors, **mode_tensors}, metadata))


def load_reference(path: Path) -> ReferenceStatistics:
    """Read reference statistics; raises MetricError if the file is absent, damaged or not one."""
    try:
        with safe_open(path, framework="numpy") as file:
            facts = _parse_facts(path, file.metadata())
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _describe_damage(path, str(error)) from error
    try:
        noise_floor = tuple((int(count), float(score)) for count, score in facts["noise_floor"])
        statistics = _build_statistics(path, tensors, int(facts["num_samples"]))
        reference = ReferenceStatistics(
            dict(facts["dataset"]),
            str(facts["extractor"]),
            statistics,
            noise_floor,
            dict(facts["details"]),
            _build_real(tensors, facts, statistics.dim) if facts.get("real") else None,
            unpack_modes(tensors, facts.get("modes", []), statistics.dim),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _describe_damage(path, f"its metadata lacks or misstates {error}") from error
    _check_noise_floor(path, noise_floor)
    return reference


def read_reference_facts(path: Path) -> dict[str, Any]:
    """Read what a reference's file says of itself, without its numbers; {} if it is none."""
    try:
        with safe_open(path, framework="numpy") as file:
            return _parse_facts(path, file.metadata())
    except (OSError, SafetensorError, MetricError):
        return {}


def _parse_facts(path: Path, metadata: dict[str, str] | None) -> dict[str, Any]:
    text = (metadata or {}).get(METADATA_KEY)
    if text is None:
        raise MetricError(
            f"Reference {path}: found a safetensors file without reference statistics; expected one"
            " written by `python -m training reference`."
        )
    try:
        facts = json.loads(text)
    except ValueError as error:
        raise _describe_damage(path, "its metadata is not JSON") from error
    if not isinstance(facts, dict) or facts.get("format_version") not in READABLE_VERSIONS:
        version = facts.get("format_version") if isinstance(facts, dict) else None
        raise MetricError(
            f"Reference {path}: found format version {version}, expected {FORMAT_VERSION}; make it"
            " anew with `python -m training reference`."
        )
    return facts


def _build_real(tensors: dict[str, NDArray[Any]], facts: dict[str, Any], dim: int) -> RealFeatures:
    if facts["format_version"] == 2:
        num_images = int(facts["details"]["num_images"])
        evenly = space_evenly(num_images, int(facts["real"]["num_images"]))
        tensors = {**tensors, MEASURED: evenly}
    return unpack_real(tensors, facts["real"], dim)


def _build_statistics(
    path: Path, tensors: dict[str, FloatArray], num_samples: int
) -> FeatureStatistics:
    mean, upper = tensors["mean"], tensors["covariance_upper"]
    dim = mean.shape[0] if mean.ndim == 1 else 0
    if dim == 0 or upper.shape != (dim * (dim + 1) // 2,) or num_samples < 2:
        raise _describe_damage(
            path,
            f"mean {mean.shape}, covariance triangle {upper.shape} and {num_samples} samples do not"
            " fit together",
        )
    if mean.dtype != np.float64 or upper.dtype != np.float64:
        raise _describe_damage(path, f"it holds {mean.dtype} and {upper.dtype}, expected float64")
    if not (np.isfinite(mean).all() and np.isfinite(upper).all()):
        raise _describe_damage(path, "it holds numbers that are not finite")
    covariance = np.zeros((dim, dim))
    covariance[np.triu_indices(dim)] = upper
    covariance += np.triu(covariance, 1).T
    _check_positive(path, covariance)
    return FeatureStatistics(mean, covariance, num_samples)


@on_one_blas_thread
def _check_positive(path: Path, covariance: FloatArray) -> None:
    """Refuse what cannot be a covariance: Cholesky fails beyond rounding below 0."""
    slack = 1e-9 * max(float(np.abs(np.diag(covariance)).max()), 1e-300) * len(covariance)
    try:
        np.linalg.cholesky(covariance + slack * np.eye(len(covariance)))
    except np.linalg.LinAlgError as error:
        raise _describe_damage(path, "its covariance has negative eigenvalues") from error


def _check_noise_floor(path: Path, noise_floor: NoiseFloor) -> None:
    counts = [count for count, _ in noise_floor]
    is_growing = all(a < b for a, b in itertools.pairwise(counts))
    is_sound = all(count > 0 and 0 <= score < float("inf") for count, score in noise_floor)
    if not noise_floor or not is_growing or not is_sound:
        raise _describe_damage(
            path, "its noise floor is not a list of growing counts with finite scores"
        )


def _describe_damage(path: Path, what: str) -> MetricError:
    return MetricError(
        f"Reference {path}: cannot be used ({what}); expected a file written by"
        " `python -m training reference`. Make it anew."
    )
