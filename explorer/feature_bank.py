"""Features of samples, computed once and kept: scores and diagnoses of a model share them."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.sampler import Sampler
from training.errors import MetricError
from training.latents import MAX_SEED, check_seed
from training.metrics.extractors import Extractor, load_extractor

# Small, so that a value is never far: on two cores of a CPU this takes about half a second.
BATCH_SIZE = 16
MAX_BYTES = 256 * 2**20  # four models of 10,000 samples with EfficientNet-Lite0

StreamKey = tuple[str, str, int]  # hash of the weights, extractor, seed of sample 0


@dataclass
class _Stream:
    """Hold the features of one model's samples by batch; the lock is held while one is computed."""

    batches: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    num_bytes: int = 0
    num_ready: int = 0
    first_missing: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, index: int, batch: NDArray[np.float32]) -> None:
        """Keep the features of a batch."""
        self.batches[index] = batch
        self.num_bytes += batch.nbytes
        while self.first_missing in self.batches:
            self.num_ready += len(self.batches[self.first_missing])
            self.first_missing += 1


class FeatureBank:
    """Keep the features of samples by weights, extractor and first seed, within ``max_bytes``.

    Beyond that whole streams are dropped, the one used longest ago first, never the one in use; who
    asks for dropped features gets them computed again. Safe to use from several threads: two that
    ask for the same samples compute them once.
    """

    def __init__(self, sampler: Sampler, max_bytes: int = MAX_BYTES) -> None:
        self.sampler = sampler
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._streams: OrderedDict[StreamKey, _Stream] = OrderedDict()
        self._extractors: dict[str, Extractor] = {}
        self._extractor_lock = threading.Lock()

    @property
    def num_bytes(self) -> int:
        """Return the bytes of the features in memory."""
        with self._lock:
            return sum(stream.num_bytes for stream in self._streams.values())

    def get_extractor(self, key: str) -> Extractor:
        """Return an extractor of EXTRACTORS, loaded at the first call; raises MetricError."""
        with self._extractor_lock:
            if key not in self._extractors:
                self._extractors[key] = load_extractor(key, device=self.sampler.device)
            return self._extractors[key]

    def open(self, model: str, extractor: Extractor, base_seed: int = 0) -> "SampleFeatures":
        """Give access to the features of a model's samples; sample i is of seed base_seed + i.

        Computes nothing yet. Raises CheckpointError for an unknown model.
        """
        check_seed(base_seed)
        return SampleFeatures(self, model, extractor, base_seed)

    def get_stream(self, key: StreamKey) -> _Stream:
        """Return a stream, new and empty if need be, as the one used last."""
        with self._lock:
            stream = self._streams.setdefault(key, _Stream())
            self._streams.move_to_end(key)
        return stream

    def drop_oldest(self, in_use: StreamKey) -> None:
        """Drop streams but the one in use until the rest fits, the one used longest ago first."""
        with self._lock:
            total = sum(stream.num_bytes for stream in self._streams.values())
            for key in list(self._streams):
                if total <= self.max_bytes:
                    break
                if key != in_use:
                    total -= self._streams.pop(key).num_bytes


class SampleFeatures:
    """Give the features (count, d) of a model's samples, computing those that are missing.

    Models with labels get those that each seed draws. A file that is replaced has another
    hash and so another stream: this one then raises MetricError, and is to be opened again.
    """

    def __init__(self, bank: FeatureBank, model: str, extractor: Extractor, base_seed: int) -> None:
        self.model = model
        self.extractor = extractor
        self.base_seed = base_seed
        self.fingerprint = bank.sampler.library.get_fingerprint(model)
        self._bank = bank
        self._key: StreamKey = (self.fingerprint, extractor.key, base_seed)
        self._make_images = make_images(bank.sampler, model, base_seed)

    @property
    def num_ready(self) -> int:
        """Return how many samples from the first on have features in memory."""
        return self._bank.get_stream(self._key).num_ready

    def get(self, start: int, count: int) -> NDArray[np.float32]:
        """Return the features (count, d) of samples ``start`` to ``start + count - 1``.

        Missing ones are computed in batches of 16. Raises MetricError if the checkpoint's file has
        changed since this was opened, ConfigError beyond the last seed.
        """
        if start < 0 or count < 1:
            raise MetricError(
                f"Features: found {count} samples from {start} on, expected at least 1 from 0 on."
            )
        check_seed(self.base_seed + start + count - 1)
        indices = range(start // BATCH_SIZE, (start + count - 1) // BATCH_SIZE + 1)
        batches = np.concatenate([self._get_batch(index) for index in indices])
        first = start - indices.start * BATCH_SIZE
        return batches[first : first + count]

    def _get_batch(self, index: int) -> NDArray[np.float32]:
        """Return the features of a batch, from memory or computed."""
        stream = self._bank.get_stream(self._key)
        with stream.lock:  # a second thread waits here for what the first computes
            batch = stream.batches.get(index)
            if batch is None:
                batch = self._compute_batch(index)
                stream.add(index, batch)
        self._bank.drop_oldest(in_use=self._key)
        return batch

    def _compute_batch(self, index: int) -> NDArray[np.float32]:
        start = index * BATCH_SIZE
        count = min(BATCH_SIZE, MAX_SEED + 1 - self.base_seed - start)
        self.check_weights()
        images = self._make_images(start, count)
        self.check_weights()  # the sampler loads a file that has changed meanwhile
        features: NDArray[np.float32] = self.extractor(images).numpy()
        return features

    def check_weights(self) -> None:
        """Raise MetricError if the checkpoint has other weights than when this was opened."""
        if self._bank.sampler.library.get_fingerprint(self.model) != self.fingerprint:
            raise MetricError(
                f"{self.model} was replaced by another file while its samples were looked at: start"
                " again to look at the new one. While a training replaces it often, copy the file"
                " under another name and look at that."
            )


def make_images(sampler: Sampler, name: str, base_seed: int) -> Callable[[int, int], Tensor]:
    """Return the function that makes samples start to start + count - 1, uint8 (B, C, H, W)."""

    def make(start: int, count: int) -> Tensor:
        seeds = range(base_seed + start, base_seed + start + count)
        images = sampler.sample_seeds(name, seeds, is_background=True)
        return torch.from_numpy(images).permute(0, 3, 1, 2)  # (B, H, W, C) -> (B, C, H, W)

    return make
