"""Scoring a generator while it trains, always on the same seeds."""

import hashlib
import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.config import TrainConfig
from training.datasets import ImageDataset
from training.datasets.label_rows import LabelRows
from training.files import get_cache_dir
from training.metrics.estimator import ScoreEstimator
from training.metrics.extractors import Extractor, load_extractor
from training.metrics.label_fidelity import LabelFidelity, measure_fidelity
from training.metrics.label_reader import (
    NUM_IMAGES_SEEN,
    LabelReader,
    load_reader,
    save_reader,
    train_reader,
)
from training.metrics.reference import ReferenceStatistics, get_reference
from training.metrics.reference_files import find_reference
from training.metrics.sampling import make_features, make_labelled_images, make_seeded_images
from training.metrics.score import FeatureSource, Score
from training.processes import ALONE, Processes
from training.projector import Embedding, build_embedding

SCORE_BATCH_SIZE = 64
# Images that the independent reader of labels learns from before a first score.
NUM_IMAGES_READ = NUM_IMAGES_SEEN


class TrainingScorer:
    """Score a generator against the data set it is trained on.

    Reference statistics that came with the checkpoints are used where they are of the same images;
    otherwise they are computed once and cached.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: ImageDataset,
        device: torch.device,
        reference_folder: Path,
        cache_dir: Path | None,
        processes: Processes = ALONE,
        labels: LabelRows | None = None,
    ) -> None:
        self._processes, self._labels = processes, labels
        self._config, self._dataset, self._device = config, dataset, device
        self._reference_folder, self._cache_dir = reference_folder, cache_dir
        self._weights = Path(config.extractor_weights) if config.extractor_weights else None

    @cached_property
    def extractor(self) -> Extractor:
        """Return the feature network, loaded at its first use."""
        return load_extractor(self._config.extractor, weights=self._weights, device=self._device)

    @cached_property
    def reference(self) -> ReferenceStatistics:
        """Return what real images look like to the extractor; computing it may take minutes."""
        key = self._config.extractor
        return find_reference(
            self._dataset.describe(), key, [self._reference_folder]
        ) or get_reference(
            self._dataset,
            key,
            cache_dir=self._cache_dir,
            weights=self._weights,
            device=self._device,
        )

    @cached_property
    def reader(self) -> LabelReader:
        """Return the independent reader of the labels; training one takes minutes, once."""
        assert self._labels is not None
        facts = [self._dataset.fingerprint, *map(json.dumps, self._labels.layout.to_list())]
        key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
        path = get_cache_dir(self._cache_dir) / "readers" / f"{key}.safetensors"
        if not path.is_file():
            save_reader(
                path, train_reader(self._dataset, self._labels, self._device, NUM_IMAGES_READ)
            )
        return load_reader(path, self._device)

    def load(self) -> None:
        """Load what the options will need, so that what is wrong with it is said at once."""
        with self._processes.main_first():
            if self._config.score_every or self._config.projector:
                _ = self.extractor
            if self._config.score_every:
                _ = self.reference
                if self._labels is not None:
                    _ = self.reader

    def score(self, generator: nn.Module, is_stopped: Callable[[], bool]) -> Score | None:
        """Score the generator; returns None if ``is_stopped`` turned true on the way.

        Several processes share the samples, and the main one alone has the score, of the same
        samples in the same order as one process would; the others get None.
        """
        get_features = make_features(make_seeded_images(generator, self._device), self.extractor)
        running = ScoreEstimator(self.reference, self.extractor)
        num_samples = self._config.score_samples
        for start in range(0, num_samples, self._processes.num * SCORE_BATCH_SIZE):
            if self._processes.agree(is_stopped()):
                return None
            features = self._extract_share(get_features, start)
            if self._processes.is_main:
                running.update(features)
        return running.compute() if self._processes.is_main else None

    def measure_labels(
        self, generator: nn.Module, critic: nn.Module
    ) -> tuple[LabelFidelity, ...] | None:
        """Measure how well generated images show their labels; None for models without labels."""
        if self._labels is None or not self._processes.is_main:
            return None
        source = make_labelled_images(generator, self._device)
        return measure_fidelity(
            source, self._labels.layout, self.reader, self._config.score_samples, critic
        )

    def _extract_share(self, get_features: FeatureSource, start: int) -> NDArray[np.float32]:
        """Extract features of the next samples, a batch in each process; returns all of them."""
        first = start + self._processes.rank * SCORE_BATCH_SIZE
        count = min(SCORE_BATCH_SIZE, max(0, self._config.score_samples - first))
        # The last batches may be short, or none: gathered are as many rows of each process.
        own = np.zeros((SCORE_BATCH_SIZE, self.extractor.dim), np.float32)
        if count:
            own[:count] = get_features(first, count)
        return self._processes.gather(own)[: self._config.score_samples - start]

    def embed(
        self, generator: nn.Module, num_samples: int, is_stopped: Callable[[], bool]
    ) -> Embedding | None:
        """Place generated and real images in feature space; None if ``is_stopped`` turned true."""
        make_images = make_seeded_images(generator, self._device)
        return build_embedding(make_images, self._dataset, self.extractor, num_samples, is_stopped)
