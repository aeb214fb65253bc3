"""Scoring a generator while it trains, always on the same seeds."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.config import TrainConfig
from training.datasets import ImageDataset
from training.datasets.label_rows import LabelRows
from training.files import check_output
from training.free_memory import advise_out_of_memory
from training.labels import LabelLayout
from training.metrics.estimator import ScoreEstimator
from training.metrics.extractors import Extractor, load_extractor
from training.metrics.label_fidelity import (
    FidelityMeter,
    LabelFidelity,
    RealLabels,
    add_diversity,
)
from training.metrics.label_reader import NUM_IMAGES_SEEN, LabelReader, train_reader
from training.metrics.reader_files import (
    choose_reader_path,
    find_reader,
    list_reader_folders,
    load_reader,
    save_reader,
)
from training.metrics.reference import ReferenceStatistics, get_reference
from training.metrics.reference_search import find_reference
from training.metrics.sampling import MakeLabelled, make_labelled_images, make_seeded_images
from training.metrics.score import Score
from training.processes import ALONE, Processes
from training.projector import Embedding, build_embedding

SCORE_BATCH_SIZE = 64
REFERENCE_FOLDER = "references"  # beside the checkpoints
# Images that the independent reader of labels learns from before a first score.
NUM_IMAGES_READ = NUM_IMAGES_SEEN


@dataclass(frozen=True, eq=False)
class TrainingScore:
    """Hold a score, and how well its images show their labels; None for models without labels."""

    score: Score
    labels: tuple[LabelFidelity, ...] | None = None


class TrainingScorer:
    """Score a generator against the data set it is trained on.

    Reference statistics and readers of labels that came with the ``checkpoints`` are used where
    they are of the same images; otherwise they are made once and cached.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: ImageDataset,
        device: torch.device,
        checkpoints: Path,
        cache_dir: Path | None,
        processes: Processes = ALONE,
        labels: LabelRows | None = None,
    ) -> None:
        self._processes, self._labels = processes, labels
        self._config, self._dataset, self._device = config, dataset, device
        self._checkpoints, self._cache_dir = checkpoints, cache_dir
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
            self._dataset.describe(),
            key,
            [self._checkpoints / REFERENCE_FOLDER],
            self.extractor.weights,
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
        layout, dataset = self._labels.layout, self._dataset
        path = self._find_reader(layout)
        if path is None:
            cache = list_reader_folders(self._checkpoints, self._cache_dir)[-1]
            path = choose_reader_path(cache, dataset, layout)
            check_output(path)
            print(
                f"Nobody can read {', '.join(layout.names)} yet: training a reader on "
                f"{NUM_IMAGES_READ:,} real images, once. It stays in {path}.",
                file=sys.stderr,
            )
            save_reader(path, train_reader(dataset, self._labels, self._device, NUM_IMAGES_READ))
        return load_reader(path, self._device)

    def has_reader(self) -> bool:
        """Tell whether the labels' reader is there already, or none is needed."""
        return self._labels is None or self._find_reader(self._labels.layout) is not None

    def _find_reader(self, layout: LabelLayout) -> Path | None:
        folders = list_reader_folders(self._checkpoints, self._cache_dir)
        return find_reader(self._dataset.describe(), layout, folders)

    def load(self) -> None:
        """Load what the options will need, so that what is wrong with it is said at once."""
        with self._processes.main_first():
            if self._config.score_every or self._config.projector:
                _ = self.extractor
            if self._config.score_every:
                _ = self.reference
                if self._labels is not None:
                    _ = self.reader

    def score(
        self,
        generator: nn.Module,
        is_stopped: Callable[[], bool],
        critic: nn.Module | None = None,
    ) -> TrainingScore | None:
        """Score the generator; returns None if ``is_stopped`` turned true on the way.

        With labels, the same images are read by the independent reader, and by the predictor of
        the ``critic``. Several processes share the samples, and the main one alone has the score,
        of the same samples in the same order as one process would; the others get None.
        """
        source, kept = make_labelled_images(generator, self._device), []
        running = ScoreEstimator(self.reference, self.extractor)
        meter = FidelityMeter(self._labels.layout, self.reader, critic) if self._labels else None
        num_samples = self._config.score_samples
        for start in range(0, num_samples, self._processes.num * SCORE_BATCH_SIZE):
            if self._processes.agree(is_stopped()):
                return None
            features, readings = self._measure_share(source, meter, start)
            if self._processes.is_main:
                running.update(features)
                if meter is not None:
                    meter.add(readings)
                    kept.append(features)
        if not self._processes.is_main:
            return None
        labels = self._finish_labels(meter, np.concatenate(kept)) if meter else None
        return TrainingScore(running.compute(), labels)

    def _finish_labels(
        self, meter: FidelityMeter, features: NDArray[np.float32]
    ) -> tuple[LabelFidelity, ...]:
        """Compute fidelities, and the diversity within labels where real features are at hand."""
        found, kept = meter.compute(), self.reference.real
        if self._labels is None or kept is None:
            return found
        real = RealLabels(self.extractor, kept.features, self._labels.rows[kept.indices])
        return add_diversity(found, self._labels.layout, features, meter.asked, real)

    def _measure_share(
        self, source: MakeLabelled, meter: FidelityMeter | None, start: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Measure the next samples, a batch in each process; returns all features and readings."""
        first = start + self._processes.rank * SCORE_BATCH_SIZE
        count = min(SCORE_BATCH_SIZE, max(0, self._config.score_samples - first))
        dim = self.extractor.dim
        # The last batches may be short, or none: gathered are as many rows of each process.
        own = np.zeros((SCORE_BATCH_SIZE, dim + (meter.num_columns if meter else 0)), np.float32)
        if count:
            images, rows = source(first, count)
            own[:count, :dim] = self.extractor(images).numpy()
            if meter is not None:
                own[:count, dim:] = meter.read(images, rows)
        gathered = self._processes.gather(own)[: self._config.score_samples - start]
        return gathered[:, :dim], gathered[:, dim:]

    def embed(self, generator: nn.Module, is_stopped: Callable[[], bool]) -> Embedding | None:
        """Place generated and real images in feature space; None if ``is_stopped`` turned true."""
        make_images, count = make_seeded_images(generator, self._device), self._config.projector
        purpose = f"an embedding of {count:,} samples and as many real images"
        with advise_out_of_memory(purpose, "the training is saved; give a smaller --projector."):
            return build_embedding(make_images, self._dataset, self.extractor, count, is_stopped)
