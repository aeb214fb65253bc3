"""Which file has the reference statistics of a data set, and where new ones go."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.errors import MetricError
from training.files import slugify
from training.metrics.reference_files import (
    WEIGHTS_KEY,
    ReferenceStatistics,
    load_reference,
    read_reference_facts,
)


def find_reference(
    dataset: dict[str, Any],
    extractor_key: str,
    folders: Sequence[Path],
    weights: str | None = None,
) -> ReferenceStatistics | None:
    """Find the statistics of a data set (as `ImageDataset.describe` gives it) in some folders.

    Fingerprint, resolution, extractor and its weights (as `identify_weights` gives them) must
    match. Statistics whose labels are not the data set's are taken only where no folder has others.
    The first folder with a match decides, and in it the statistics of the most images. Files that
    are not readable references are passed over; None if nothing matches.
    """
    others: list[tuple[int, Path]] = []
    for folder in folders:
        found, mislabelled = _list_matches(folder, dataset, extractor_key, weights)
        if found:
            return load_reference(max(found)[1])
        others = others or mislabelled
    return load_reference(max(others)[1]) if others else None


def _list_matches(
    folder: Path, dataset: dict[str, Any], extractor_key: str, weights: str | None
) -> tuple[list[tuple[int, Path]], list[tuple[int, Path]]]:
    """List a folder's statistics (images, path) of a data set: with its labels, and with others."""
    found: list[tuple[int, Path]] = []
    mislabelled: list[tuple[int, Path]] = []
    for path in sorted(folder.glob("*.safetensors")):
        facts = read_reference_facts(path)
        if _is_of(facts, dataset, extractor_key, weights):
            places = found if _has_labels_of(facts["dataset"], dataset) else mislabelled
            places.append((_count_samples(facts), path))
    return found, mislabelled


def choose_reference_path(
    folder: Path,
    dataset: dict[str, Any],
    extractor_key: str,
    num_images: int,
    weights: str | None = None,
) -> Path:
    """Choose the path of new statistics, of so many images: data set, resolution and extractor.

    Weights that are not the usual ones are part of the name. Where it is of other images, a hash of
    these follows. Raises MetricError where a file has statistics of more of the images.
    """
    name = f"{slugify(str(dataset['name']))}-{dataset['resolution']}-{extractor_key}"
    name += f"-weights-{weights[:8]}" if weights else ""
    path = folder / f"{name}.safetensors"
    is_taken = path.exists() and not _is_of(
        read_reference_facts(path), dataset, extractor_key, weights
    )
    if is_taken:
        path = folder / f"{name}-{str(dataset['fingerprint'])[:8]}.safetensors"
    num_there = _count_samples(read_reference_facts(path)) if path.exists() else 0
    if num_there > num_images:
        raise MetricError(
            f"Reference: {path} is of {num_there:,} of these images and is not replaced by one of "
            f"{num_images:,}; name another file with --output, or that one to replace it."
        )
    return path


def _count_samples(facts: dict[str, Any]) -> int:
    num_samples = facts.get("num_samples")
    return num_samples if isinstance(num_samples, int) else 0


def _is_of(
    facts: dict[str, Any], dataset: dict[str, Any], extractor_key: str, weights: str | None
) -> bool:
    """Tell whether a reference's images, extractor and weights are the ones asked for."""
    found, details = facts.get("dataset"), facts.get("details")
    if not isinstance(found, dict) or facts.get("extractor") != extractor_key:
        return False
    if (details.get(WEIGHTS_KEY) if isinstance(details, dict) else None) != weights:
        return False
    return has_images_of(found, dataset)


def has_images_of(found: dict[str, Any], dataset: dict[str, Any]) -> bool:
    """Tell whether two data sets, as `ImageDataset.describe` gives them, are of the same images."""
    return all(found.get(key) == dataset.get(key) for key in ("fingerprint", "resolution"))


def _has_labels_of(found: dict[str, Any], dataset: dict[str, Any]) -> bool:
    """Tell whether a reference knows all labels of a data set; files of old do not say."""
    known, wanted = found.get("label_fingerprints"), dataset.get("label_fingerprints")
    if not isinstance(known, dict) or not isinstance(wanted, dict):
        return True
    return all(known.get(name) == value for name, value in wanted.items())
