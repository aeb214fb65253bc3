"""The one place where generators run: (model, latents, labels) -> uint8 images."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from explorer.latents import sample_latents, truncate_latents
from explorer.library import CheckpointLibrary, FileStamp
from training.checkpoint import CheckpointHeader
from training.errors import ConfigError
from training.images import to_uint8

CHUNK_SIZE = 8


@dataclass(frozen=True)
class LoadedModel:
    """Hold a generator in memory, the header it came with, and the lock its users take."""

    generator: nn.Module
    header: CheckpointHeader
    stamp: FileStamp
    lock: threading.Lock = field(default_factory=threading.Lock)


class Sampler:
    """Make images, keeping the ``max_loaded`` generators used last in memory.

    One latent gives the same bytes whatever stands beside it in the batch, whatever the batch
    size and the number of threads. Float32 does not: kernels chosen by shape add in different
    orders, and differences of 1e-7 flip the rounding of single bytes. So generators run in
    float64, where they are 1e-16 and reach no byte. That costs about twice the time of float32.
    (Metal has no float64; there generators run in float32 and this promise does not hold.)

    Safe to use from several threads: a generator runs one chunk of a batch at a time, so a
    slider is not kept waiting by a long animation.
    """

    def __init__(
        self,
        library: CheckpointLibrary,
        device: torch.device | str = "cpu",
        max_loaded: int = 4,
    ) -> None:
        if max_loaded < 1:
            raise ConfigError(f"max_loaded is {max_loaded}: keep at least 1 generator in memory.")
        self.library = library
        self.device = torch.device(device)
        self.max_loaded = max_loaded
        self._dtype = torch.float32 if self.device.type == "mps" else torch.float64
        self._lock = threading.Lock()
        self._load_locks: dict[str, threading.Lock] = {}
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()

    @property
    def loaded_names(self) -> list[str]:
        """Return the names of the generators in memory, the one used last at the end."""
        with self._lock:
            return list(self._loaded)

    def get_header(self, name: str) -> CheckpointHeader:
        """Return a model's header, loading the model if need be."""
        return self._get_model(name).header

    def sample_images(
        self, name: str, latents: Tensor, labels: Sequence[int] | None = None
    ) -> np.ndarray:
        """Make images, uint8 (N, H, W, C), from latents (N, z_dim) and class labels (N,).

        ``labels`` are needed by class-conditional models and refused by the others.
        """
        model = self._get_model(name)
        chunks = list(self._iter_model(name, model, latents, labels))
        config = model.header.model
        empty = np.empty((0, config.img_resolution, config.img_resolution, config.img_channels))
        return np.concatenate(chunks) if chunks else empty.astype(np.uint8)

    def iter_images(
        self, name: str, latents: Tensor, labels: Sequence[int] | None = None
    ) -> Iterator[np.ndarray]:
        """Make the images of `sample_images` in chunks of up to 8, for progress and cancelling."""
        return self._iter_model(name, self._get_model(name), latents, labels)

    def sample_seeds(
        self,
        name: str,
        seeds: Sequence[int],
        truncation: float = 1.0,
        labels: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Make one image per seed, uint8 (N, H, W, C), with truncation in [0, 1]."""
        return self.sample_images(name, self.make_latents(name, seeds, truncation), labels)

    def make_latents(self, name: str, seeds: Sequence[int], truncation: float = 1.0) -> Tensor:
        """Draw the latents of seeds for a model, (N, z_dim), truncated."""
        z_dim = self._get_model(name).header.model.z_dim
        return truncate_latents(sample_latents(seeds, z_dim), truncation)

    def _iter_model(
        self, name: str, model: LoadedModel, latents: Tensor, labels: Sequence[int] | None
    ) -> Iterator[np.ndarray]:
        """Check now, compute when iterated."""
        config = model.header.model
        if latents.ndim != 2 or latents.shape[1] != config.z_dim:
            raise ConfigError(
                f"{name} takes latents of shape (N, {config.z_dim}), found {tuple(latents.shape)}."
            )
        classes = _check_labels(name, labels, len(latents), config.num_classes)
        return self._run_chunks(model, latents, classes)

    def _run_chunks(
        self, model: LoadedModel, latents: Tensor, classes: Tensor | None
    ) -> Iterator[np.ndarray]:
        for start in range(0, len(latents), CHUNK_SIZE):
            rows = slice(start, start + CHUNK_SIZE)
            with model.lock, torch.inference_mode():
                z = latents[rows].to(self.device, self._dtype)
                chosen = None if classes is None else classes[rows].to(self.device)
                images = to_uint8(model.generator(z, chosen))  # (B, C, H, W)
                pixels = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()  # (B, H, W, C)
            yield pixels

    def _get_model(self, name: str) -> LoadedModel:
        """Return a generator, from memory unless its file has changed."""
        with self._lock:
            load_lock = self._load_locks.setdefault(name, threading.Lock())
        with load_lock:  # two requests for one model load it once; other models are not held up
            stamp = self.library.get_stamp(name)
            with self._lock:
                model = self._loaded.get(name)
            if model is None or model.stamp != stamp:
                generator, header = self.library.load(name)
                model = LoadedModel(generator.to(self.device, self._dtype), header, stamp)
            with self._lock:
                self._loaded[name] = model
                self._loaded.move_to_end(name)
                while len(self._loaded) > self.max_loaded:
                    self._loaded.popitem(last=False)
        return model


def _check_labels(
    name: str, labels: Sequence[int] | None, count: int, num_classes: int
) -> Tensor | None:
    if num_classes == 0:
        if labels is not None:
            raise ConfigError(f"{name} was trained without labels and takes none.")
        return None
    if labels is None or len(labels) != count:
        found = "none" if labels is None else str(len(labels))
        raise ConfigError(f"{name} needs one label for each of {count} images, found {found}.")
    if any(not 0 <= label < num_classes for label in labels):
        raise ConfigError(f"{name} takes labels from 0 to {num_classes - 1}, found {list(labels)}.")
    return torch.tensor(labels, dtype=torch.long)
