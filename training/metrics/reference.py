"""Reference statistics: what the features of real images look like, and how well N can tell."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from training.datasets.types import ImageDataset
from training.errors import MetricError
from training.files import check_writable, get_cache_dir
from training.metrics.baselines import measure_baselines
from training.metrics.degrade import degrade_images
from training.metrics.extractors import Extractor, identify_weights, load_extractor
from training.metrics.frechet import compute_statistics
from training.metrics.modes import DegradedFeatures, ModeClassifier, train_mode_classifiers
from training.metrics.noise_floor import measure_noise_floor
from training.metrics.real_features import (
    MAX_KEPT,
    RealFeatures,
    measure_real_features,
)
from training.metrics.reference_files import (
    WEIGHTS_KEY,
    ReferenceStatistics,
    load_reference,
    save_reference,
)
from training.metrics.reference_search import find_reference, has_images_of
from training.subset import choose_subset

__all__ = [
    "ReferenceStatistics",
    "compute_reference",
    "find_reference",
    "get_reference",
    "load_reference",
    "save_reference",
]

MAX_IMAGES = 10_000
MIN_IMAGES = 4
# So many images are degraded, for the classifiers of labels to learn from.
MAX_DEGRADED = 2000


def compute_reference(
    dataset: ImageDataset,
    extractor_key: str,
    progress: bool = True,
    weights: Path | None = None,
    device: torch.device | str = "cpu",
    max_images: int = MAX_IMAGES,
) -> ReferenceStatistics:
    """Compute a data set's statistics and noise floor from at most `max_images` of its images.

    Features of up to 2,048 of them, no more than half, are kept; the others tell what real images
    get in each metric. Where the data set has labels, a classifier of each is trained, on 2,000
    degraded images as well. Of a larger data set images are chosen at random, always the same ones.
    10,000 images take minutes on a CPU; `progress` shows a bar on stderr. Raises MetricError below
    4 images.
    """
    if len(dataset) < MIN_IMAGES:
        raise MetricError(
            f"Reference: the data set {dataset.name} has {len(dataset)} image(s), expected at least"
            f" {MIN_IMAGES}; choose a larger one."
        )
    extractor = load_extractor(extractor_key, weights, device)
    indices = choose_subset(len(dataset), max_images)
    features = extract_features(dataset, indices, extractor, progress)
    details = {
        "num_images_used": len(indices),
        "num_images": len(dataset),
        "selection": "all" if len(indices) == len(dataset) else "chosen at random",
    }
    if extractor.weights is not None:
        details[WEIGHTS_KEY] = extractor.weights
    statistics = compute_statistics(features)
    noise_floor = measure_noise_floor(features, statistics)
    return ReferenceStatistics(
        dataset.describe(),
        extractor_key,
        statistics,
        noise_floor,
        details,
        keep_real_features(features, indices),
        train_on_labels(features, dataset, indices, extractor, progress),
    )


def keep_real_features(features: NDArray[np.float32], indices: NDArray[np.int64]) -> RealFeatures:
    """Keep some of the features (M, d), and measure what the others get against them."""
    real = measure_real_features(features, indices, count_kept(len(features)))
    is_held_out = ~np.isin(indices, real.indices)
    return replace(real, baselines=measure_baselines(real.features, features[is_held_out]))


def count_kept(num_measured: int) -> int:
    """Return of how many images features are kept: no more than half, so that others are left."""
    return min(MAX_KEPT, (num_measured + 1) // 2)


def train_on_labels(
    features: NDArray[np.float32],
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    extractor: Extractor,
    progress: bool,
) -> tuple[ModeClassifier, ...]:
    """Train the classifiers of a data set's labels, on degraded images too; () if it has none."""
    if dataset.labels is None:
        return ()
    rows = choose_subset(len(indices), MAX_DEGRADED)
    images = degrade_images(dataset.images[indices[rows]])
    degraded = replace(dataset, name=f"{dataset.name}, degraded", images=images)
    found = extract_features(degraded, np.arange(len(rows)), extractor, progress)
    return train_mode_classifiers(
        features, dataset.labels[indices], dataset.label_columns, DegradedFeatures(found, rows)
    )


def get_reference(
    dataset: ImageDataset,
    extractor_key: str,
    cache_dir: Path | None = None,
    progress: bool = True,
    weights: Path | None = None,
    device: torch.device | str = "cpu",
    max_images: int = MAX_IMAGES,
) -> ReferenceStatistics:
    """Load a data set's reference from the cache, or compute it and keep it there.

    A cached file that is damaged, of something else, or of images chosen in another way is
    replaced. Where the images have other labels by now, their classifiers are trained again, and
    where values have other names, renamed. The cache knows the images, not the weights: with
    `weights` that are not an extractor's usual ones, the reference is computed and not kept.
    """
    if identify_weights(extractor_key, weights) is not None:
        return compute_reference(dataset, extractor_key, progress, weights, device, max_images)
    folder = get_cache_dir(cache_dir) / "references"
    path = folder / f"{dataset.fingerprint[:16]}-{extractor_key}-{max_images}.safetensors"
    if path.is_file():
        try:
            reference = load_reference(path)
        except MetricError:
            pass  # damaged: computed again below, and the file replaced
        else:
            if _is_current(reference, dataset, extractor_key, max_images):
                current = _update_labels(reference, dataset, progress, weights, device)
                if current is not reference:
                    save_reference(path, current)
                return current
    check_writable(folder)  # before minutes are spent
    reference = compute_reference(dataset, extractor_key, progress, weights, device, max_images)
    save_reference(path, reference)
    return reference


def _update_labels(
    reference: ReferenceStatistics,
    dataset: ImageDataset,
    progress: bool,
    weights: Path | None,
    device: torch.device | str,
) -> ReferenceStatistics:
    """Return a reference of the same images with classifiers of the labels they have by now."""
    is_same = reference.dataset.get("label_fingerprints", {}) == dataset.fingerprint_labels()
    if is_same or dataset.label_problem:  # which may be mended before the next time
        return _name_modes(reference, dataset)
    modes: tuple[ModeClassifier, ...] = ()
    if dataset.labels is not None and reference.real is not None:
        extractor = load_extractor(reference.extractor, weights, device)
        indices = reference.real.measured_indices
        features = extract_features(dataset, indices, extractor, progress)
        modes = train_on_labels(features, dataset, indices, extractor, progress)
    return replace(reference, dataset=dataset.describe(), modes=modes)


def _name_modes(reference: ReferenceStatistics, dataset: ImageDataset) -> ReferenceStatistics:
    """Call the values of labels as the data set calls them by now; the labels are the same."""
    names = {column.name: column.values for column in dataset.label_columns}
    modes = tuple(
        replace(mode, values=names[mode.name])
        if len(names.get(mode.name, ())) == len(mode.values)
        else mode
        for mode in reference.modes
    )
    is_same = all(a.values == b.values for a, b in zip(modes, reference.modes, strict=True))
    return reference if is_same else replace(reference, modes=modes)


def _is_current(
    reference: ReferenceStatistics, dataset: ImageDataset, extractor_key: str, max_images: int
) -> bool:
    """Tell whether a reference measured and kept the images that `compute_reference` chooses."""
    if reference.real is None or reference.extractor != extractor_key:
        return False
    if not has_images_of(reference.dataset, dataset.describe()):
        return False
    measured = choose_subset(len(dataset), max_images)
    kept = measured[choose_subset(len(measured), count_kept(len(measured)))]
    return np.array_equal(reference.real.measured_indices, measured) and np.array_equal(
        reference.real.indices, kept
    )


def extract_features(
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    extractor: Extractor,
    progress: bool,
    batch_size: int = 64,
) -> NDArray[np.float32]:
    """Compute the float32 features (N, d) of the chosen images."""
    features = np.empty((len(indices), extractor.dim), dtype=np.float32)
    with tqdm(
        total=len(indices), desc=f"{dataset.name}: real features", unit="img", disable=not progress
    ) as bar:
        for start in range(0, len(indices), batch_size):
            chosen = indices[start : start + batch_size]
            images = torch.from_numpy(np.stack([dataset[int(i)] for i in chosen]))
            features[start : start + len(chosen)] = extractor(images).numpy()
            bar.update(len(chosen))
    return features
