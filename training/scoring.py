"""Scoring a generator while it trains, always on the same seeds."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from training.config import TrainConfig
from training.datasets import ImageDataset
from training.metrics.estimator import ScoreEstimator
from training.metrics.extractors import load_extractor
from training.metrics.reference import get_reference
from training.metrics.reference_files import find_reference
from training.metrics.sampling import make_features, make_seeded_images
from training.metrics.score import Score

SCORE_BATCH_SIZE = 64


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
    ) -> None:
        self._config, self._device = config, device
        weights = Path(config.extractor_weights) if config.extractor_weights else None
        self._extractor = load_extractor(config.extractor, weights=weights, device=device)
        self.reference = find_reference(
            dataset.describe(), config.extractor, [reference_folder]
        ) or get_reference(
            dataset, config.extractor, cache_dir=cache_dir, weights=weights, device=device
        )

    def score(self, generator: nn.Module, is_stopped: Callable[[], bool]) -> Score | None:
        """Score the generator; returns None if ``is_stopped`` turned true on the way."""
        get_features = make_features(make_seeded_images(generator, self._device), self._extractor)
        running = ScoreEstimator(self.reference, self._extractor)
        while (start := running.num_samples) < self._config.score_samples:
            if is_stopped():
                return None
            count = min(SCORE_BATCH_SIZE, self._config.score_samples - start)
            running.update(get_features(start, count))
        return running.compute()
