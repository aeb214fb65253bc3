"""Features of a data set's own images, computed once and kept on disk.

A reference keeps features of 2,048 images. Looking for copies takes all those that it was made of,
where the data set is on this machine.
"""

import hashlib
import io
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from training.datasets.types import ImageDataset
from training.files import explain_write_errors, get_cache_dir, write_bytes
from training.metrics.extractors import Extractor

BATCH_SIZE = 32


class DatasetFeatures:
    """Extract the features of some of a data set's images batch by batch, and keep them on disk.

    `indices` (M,) are the images. Two who ask for the same at one time share the work, and who
    stops and asks again soon goes on there. The cache has one file for each data set (by
    fingerprint), extractor and choice of images, float16, and a file that is damaged or of another
    shape is written again. Safe to use from several threads.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        indices: NDArray[np.int64],
        extractor_key: str,
        dim: int,
        path: Path,
    ) -> None:
        self.indices = indices
        self.path = path
        self.extractor_key = extractor_key
        self._dataset = dataset
        self._lock = threading.Lock()
        cached = _read(path, (len(self.indices), dim))
        self._features = (
            np.empty((len(self.indices), dim), np.float16) if cached is None else cached
        )
        self.num_done = 0 if cached is None else len(self.indices)

    @property
    def is_done(self) -> bool:
        """Tell whether all features are there."""
        return self.num_done == len(self.indices)

    @property
    def features(self) -> NDArray[np.float32]:
        """Return the features (num_done, d) so far."""
        return self._features[: self.num_done].astype(np.float32)

    def advance(self, extractor: Extractor) -> int:
        """Extract the next batch, write the file after the last one, and return how many are done.

        Raises MetricError if the extractor cannot read the images.
        """
        with self._lock:
            chosen = self.indices[self.num_done : self.num_done + BATCH_SIZE]
            if len(chosen) == 0:
                return self.num_done
            images = torch.from_numpy(np.stack([self._dataset[int(i)] for i in chosen]))
            end = self.num_done + len(chosen)
            self._features[self.num_done : end] = extractor(images).numpy()
            self.num_done = end
            if self.is_done:
                buffer = io.BytesIO()
                np.save(buffer, self._features)
                with explain_write_errors(self.path):
                    write_bytes(self.path, buffer.getbuffer())
            return end


_in_use: WeakValueDictionary[Path, DatasetFeatures] = WeakValueDictionary()
# The last ones stay for a while, so that who stopped may go on.
_recent: deque[DatasetFeatures] = deque(maxlen=2)
_in_use_lock = threading.Lock()


def open_dataset_features(
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    extractor_key: str,
    dim: int,
    cache_dir: Path | None = None,
) -> DatasetFeatures:
    """Open the features of these images: done if in the cache, under way if someone is at it."""
    choice = hashlib.blake2b(indices.astype("<i8").tobytes(), digest_size=8).hexdigest()
    name = f"{dataset.fingerprint[:32]}-{extractor_key}-{len(indices)}-{choice}.npy"
    path = get_cache_dir(cache_dir) / "features" / name
    with _in_use_lock:
        found = _in_use.get(path)
        if found is None:
            found = _in_use[path] = DatasetFeatures(dataset, indices, extractor_key, dim, path)
        if found not in _recent:
            _recent.append(found)
        return found


def extract_dataset_features(
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    extractor: Extractor,
    cache_dir: Path | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> DatasetFeatures:
    """Return the features of these images, extracting what is missing; minutes for 10,000.

    `on_progress` hears (number done, number of all) after each batch, and may raise to stop.
    """
    found = open_dataset_features(dataset, indices, extractor.key, extractor.dim, cache_dir)
    while not found.is_done:
        num_done = found.advance(extractor)
        if on_progress is not None:
            on_progress(num_done, len(found.indices))
    return found


def _read(path: Path, shape: tuple[int, int]) -> NDArray[np.float16] | None:
    try:
        features = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    is_sound = features.shape == shape and features.dtype == np.float16
    if not is_sound or not np.isfinite(features).all():
        return None
    return np.asarray(features)
