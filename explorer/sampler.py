"""The one place where generators run: (model, latents, labels) -> uint8 images."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from explorer.latents import sample_latents, truncate_latents
from explorer.library import CheckpointLibrary, FileStamp
from explorer.priority import lower_priority
from training.checkpoint import CheckpointHeader
from training.cores import count_usable_cores
from training.errors import ConfigError
from training.images import to_uint8
from training.labels import LabelLayout

CHUNK_SIZE = 4  # images a worker makes at once; small, so that nobody waits long for a worker
CHUNK_SIZE_GPU = 64
MAX_WORKERS = 8

# From latents (N, z_dim) and label vectors (N, V), if any, to chunks of images (B, H, W, C).
ImageMaker = Callable[[Tensor, Tensor | None], Iterator[np.ndarray]]


@dataclass(frozen=True)
class LoadedModel:
    """Hold a generator in memory, the header it came with, and the state of its file then."""

    generator: nn.Module
    header: CheckpointHeader
    stamp: FileStamp


class Sampler:
    """Make images, keeping the ``max_loaded`` generators used last in memory.

    One latent gives the same bytes whatever stands beside it in the batch, whatever the batch
    size, the number of cores and the processor's vector instructions. Float32 does not: kernels
    chosen by shape add in different orders, and differences of 1e-7 flip the rounding of single
    bytes. So generators run in float64, where they are 1e-16 and reach no byte. That costs about
    twice the time of float32. (Metal has no float64; there generators run in float32 and this
    promise does not hold.)

    Safe to use from several threads. On a CPU each core has a worker that computes on one thread:
    PyTorch's own threads wait for one another at every layer, and where other work keeps a core
    busy that took up to ten times as long. Workers take chunks of 4 images in turn, so that a
    slider is not kept waiting by a long animation. What ``is_background`` has workers of its own
    with low priority, so that no slider waits for a score.
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
        is_cpu = self.device.type == "cpu"
        self._dtype = torch.float32 if self.device.type == "mps" else torch.float64
        self._chunk_size = CHUNK_SIZE if is_cpu else CHUNK_SIZE_GPU
        self._num_workers = min(MAX_WORKERS, count_usable_cores()) if is_cpu else 1
        self._workers = _start_workers(self._num_workers)
        self._background_workers: ThreadPoolExecutor | None = None
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
        self,
        name: str,
        latents: Tensor,
        labels: Tensor | None = None,
        is_background: bool = False,
    ) -> np.ndarray:
        """Make images, uint8 (N, H, W, C), from latents (N, z_dim) and label vectors (N, V).

        ``labels``, of `make_label_vectors` or between some of them, are needed by models that were
        trained with labels and refused by the others.
        """
        model = self._get_model(name)
        chunks = list(self._iter_model(name, model, latents, labels, is_background))
        config = model.header.model
        empty = np.empty((0, config.img_resolution, config.img_resolution, config.img_channels))
        return np.concatenate(chunks) if chunks else empty.astype(np.uint8)

    def iter_images(
        self, name: str, latents: Tensor, labels: Tensor | None = None
    ) -> Iterator[np.ndarray]:
        """Make the images of `sample_images` in small chunks, for progress and cancelling."""
        return self.take_generator(name)(latents, labels)

    def take_generator(self, name: str) -> ImageMaker:
        """Return what makes images as `iter_images` does, by the generator that there is now."""
        return partial(self._iter_model, name, self._get_model(name))

    def sample_seeds(
        self,
        name: str,
        seeds: Sequence[int],
        truncation: float = 1.0,
        labels: Tensor | None = None,
        is_background: bool = False,
    ) -> np.ndarray:
        """Make one image per seed, uint8 (N, H, W, C), with truncation in [0, 1].

        A model with labels takes rows of them (N, L), or draws them by the same seeds.
        """
        latents = self.make_latents(name, seeds, truncation)
        vectors = (
            self.make_label_vectors(name, seeds)
            if labels is None
            else self.encode_labels(name, labels.tolist())
        )
        return self.sample_images(name, latents, vectors, is_background)

    def make_latents(self, name: str, seeds: Sequence[int], truncation: float = 1.0) -> Tensor:
        """Draw the latents of seeds for a model, (N, z_dim), truncated."""
        z_dim = self._get_model(name).header.model.z_dim
        return truncate_latents(sample_latents(seeds, z_dim), truncation)

    def make_labels(
        self, name: str, seeds: Sequence[int], values: Mapping[str, float] | None = None
    ) -> Tensor | None:
        """Return label rows (N, L): the values given, and the others drawn by seed.

        A model without labels has none; raises ConfigError for values it does not take.
        """
        layout = self.get_header(name).model.labels
        if values and not len(layout):
            raise ConfigError(f"{name} was trained without labels and takes none.")
        return layout.complete(seeds, values or {}) if len(layout) else None

    def make_label_vectors(self, name: str, seeds: Sequence[int]) -> Tensor | None:
        """Return the label vectors (N, V) that seeds draw, None for a model without labels."""
        rows = self.make_labels(name, seeds)
        return None if rows is None else self.encode_labels(name, rows.tolist())

    def encode_labels(self, name: str, rows: Sequence[Sequence[float]]) -> Tensor:
        """Check rows of label values and return their vectors, float64 (N, V)."""
        layout = self.get_header(name).model.labels
        if not len(layout):
            raise ConfigError(f"{name} was trained without labels and takes none.")
        for row in sorted(set(map(tuple, rows))):
            layout.check(row)
        return layout.encode(torch.tensor(rows, dtype=torch.float64).view(len(rows), len(layout)))

    def _iter_model(
        self,
        name: str,
        model: LoadedModel,
        latents: Tensor,
        labels: Tensor | None,
        is_background: bool = False,
    ) -> Iterator[np.ndarray]:
        """Check now, compute when iterated."""
        config = model.header.model
        if latents.ndim != 2 or latents.shape[1] != config.z_dim:
            raise ConfigError(
                f"{name} takes latents of shape (N, {config.z_dim}), found {tuple(latents.shape)}."
            )
        _check_labels(name, labels, len(latents), config.labels)
        workers = self._get_background_workers() if is_background else self._workers
        return self._run_chunks(workers, model, latents, labels)

    def _run_chunks(
        self,
        workers: ThreadPoolExecutor,
        model: LoadedModel,
        latents: Tensor,
        labels: Tensor | None,
    ) -> Iterator[np.ndarray]:
        """Yield the chunks in order, with as many under way as there are workers and one more."""
        under_way: deque[Future[np.ndarray]] = deque()
        try:
            for start in range(0, len(latents), self._chunk_size):
                part = slice(start, start + self._chunk_size)
                vectors = None if labels is None else labels[part]
                under_way.append(workers.submit(self._run_generator, model, latents[part], vectors))
                if len(under_way) > self._num_workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()

    def _run_generator(
        self, model: LoadedModel, latents: Tensor, labels: Tensor | None
    ) -> np.ndarray:
        """Turn (B, z_dim) latents into uint8 (B, H, W, C) pixels, on the calling worker."""
        with torch.inference_mode():
            z = latents.to(self.device, self._dtype)
            if labels is None:
                images = model.generator(z)
            else:
                images = model.generator.render(z, labels.to(self._dtype).to(self.device))  # type: ignore[operator]
            pixels: np.ndarray = to_uint8(images).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return pixels

    def _get_background_workers(self) -> ThreadPoolExecutor:
        """Return the workers of low priority, started at the first call."""
        with self._lock:
            if self._background_workers is None:
                self._background_workers = _start_workers(self._num_workers, is_background=True)
            return self._background_workers

    def _get_model(self, name: str) -> LoadedModel:
        """Return a generator, from memory unless its file has changed."""
        self.library.get(name)  # first, so that only names of models get a lock, which stays
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


def _check_labels(name: str, labels: Tensor | None, count: int, layout: LabelLayout) -> None:
    if not len(layout):
        if labels is not None:
            raise ConfigError(f"{name} was trained without labels and takes none.")
        return
    if labels is None or labels.shape != (count, layout.vector_size):
        found = "none" if labels is None else f"shape {tuple(labels.shape)}"
        raise ConfigError(
            f"{name} needs labels ({', '.join(layout.names)}) for each of {count} images: vectors "
            f"of shape ({count}, {layout.vector_size}), found {found}."
        )
    layout.check_vectors(labels)


def _start_workers(count: int, is_background: bool = False) -> ThreadPoolExecutor:
    """Start threads on which PyTorch computes without starting more."""
    num_threads = torch.get_num_threads()
    prepare = _become_background if is_background else _use_one_thread
    workers = ThreadPoolExecutor(count, "sampler", initializer=prepare)
    everyone = threading.Barrier(count + 1)
    for _ in range(count):
        workers.submit(everyone.wait)
    everyone.wait()
    # The workers' setting has also become that of threads not yet started: put the old one back.
    torch.set_num_threads(num_threads)
    return workers


def _use_one_thread() -> None:
    torch.get_num_threads()  # until its first use in a thread, PyTorch would undo the next line
    torch.set_num_threads(1)


def _become_background() -> None:
    lower_priority()
    _use_one_thread()
