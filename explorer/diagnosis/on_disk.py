"""The data set a model learned, where its decoded pixels are on this machine."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.datasets.cache import compute_fingerprint, map_images
from training.datasets.types import ImageDataset
from training.files import get_cache_dir


def find_dataset_on_disk(
    dataset: dict[str, Any], cache_dir: Path | None = None
) -> ImageDataset | None:
    """Find the data set that a checkpoint names in the cache of decoded ones, None if not there.

    ``dataset`` is what `ImageDataset.describe` gave; found are exactly these pixels, by their
    fingerprint, whatever file or folder they came from. Nothing is decoded or downloaded, and
    labels are left out.
    """
    fingerprint = dataset.get("fingerprint")
    if not isinstance(fingerprint, str):
        return None
    folder = get_cache_dir(cache_dir) / "datasets"
    for path in sorted(folder.glob("*.json")):
        pixels = path.with_suffix(".npy")
        try:
            status = pixels.stat()
            sidecar = path.read_text(encoding="utf-8")
        except OSError:
            continue  # written or removed at this moment
        # Sidecars hold all labels: parse only the one that names the fingerprint.
        if fingerprint not in sidecar:
            continue
        images = _read_pixels(path, status.st_mtime_ns, status.st_size, fingerprint)
        if images is not None:
            name = str(dataset.get("name", "unknown"))
            title, terms = str(dataset.get("title") or name), str(dataset.get("terms") or "")
            return ImageDataset(name, title, terms, images, fingerprint)
    return None


@lru_cache(maxsize=8)
def _read_pixels(
    sidecar: Path, _modified: int, _size: int, fingerprint: str
) -> NDArray[np.uint8] | None:
    """Map the pixels beside a sidecar if they are whole; hashed once for each state of the file."""
    try:
        facts = json.loads(sidecar.read_text(encoding="utf-8"))
        if facts["fingerprint"] != fingerprint:
            return None
        images = map_images(sidecar.with_suffix(".npy"), facts["shape"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if images is None or compute_fingerprint(images) != fingerprint:
        return None
    return images
