"""Scores of models side by side, with an extractor small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.comparison import stream_comparison
from explorer.feature_bank import FeatureBank
from explorer.sampler import Sampler
from tests.explorer.conftest import DATASET, SaveModel
from training.errors import ConfigError, MetricError
from training.metrics.extractors import Extractor
from training.metrics.frechet import FeatureStatistics, compute_frechet_distance
from training.metrics.reference import ReferenceStatistics, save_reference


class MeanColour(nn.Module):
    """Average each channel, (B, 3, H, W) uint8 -> (B, 3)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.float().mean(dim=(2, 3))


EXTRACTOR = Extractor("colours", "FD-Colours", 3, MeanColour(), torch.device("cpu"))
STATISTICS = FeatureStatistics(np.array([100.0, 110, 120]), np.diag([9.0, 16, 25]), 1000)
REFERENCE = ReferenceStatistics(DATASET, "colours", STATISTICS, ((64, 2.0), (1000, 1.0)))


@pytest.fixture
def ready(sampler: Sampler) -> Sampler:
    """Return a sampler beside whose checkpoints the data set's reference lies."""
    save_reference(sampler.library.get_references_folder() / "a.safetensors", REFERENCE)
    return sampler


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def bank(ready: Sampler) -> FeatureBank:
    """Return a feature bank over that sampler."""
    return FeatureBank(ready)


def compute_expected(sampler: Sampler, name: str, seeds: range) -> float:
    """Compute the Frechet distance of a model's mean colours with NumPy's covariance."""
    features = sampler.sample_seeds(name, seeds).astype(np.float64).mean(axis=(1, 2))  # (N, C)
    features = np.broadcast_to(features, (len(seeds), 3))
    found = FeatureStatistics(features.mean(axis=0), np.cov(features, rowvar=False), len(seeds))
    return compute_frechet_distance(found, STATISTICS)


def test_every_model_is_scored_on_the_same_seeds(ready: Sampler) -> None:
    names = ["conv", "linear", "grey"]
    updates = list(
        stream_comparison(FeatureBank(ready), names, EXTRACTOR, num_samples=100, base_seed=50)
    )
    last = {update.model: update for update in updates if update.is_last}
    assert list(last) == names
    for name in names:
        score = last[name].score
        assert score.value == pytest.approx(compute_expected(ready, name, range(50, 150)), rel=1e-4)
        assert (score.num_samples, score.score_name) == (100, "FD-Colours")
        assert score.reference == "avatars:toon-head"


def test_models_take_turns(ready: Sampler) -> None:
    updates = list(
        stream_comparison(FeatureBank(ready), ["linear", "conv"], EXTRACTOR, num_samples=200)
    )
    assert [update.model for update in updates[:2]] == ["linear", "conv"]
    assert [update.score.num_samples for update in updates[:2]] == [64, 64]
    assert sum(update.is_last for update in updates) == 2
    for name in ("linear", "conv"):
        own = [update for update in updates if update.model == name]
        counts = [update.score.num_samples for update in own]
        assert counts == sorted(set(counts))
        assert counts[-1] == 200
        assert own[0].seconds < own[-1].seconds


def test_closing_stops_the_work(ready: Sampler) -> None:
    updates = stream_comparison(
        FeatureBank(ready), ["conv", "linear"], EXTRACTOR, num_samples=50_000
    )
    assert next(updates).score.num_samples == 64
    updates.close()  # type: ignore[attr-defined]
    assert list(updates) == []


def test_a_missing_reference_is_reported_before_any_work(sampler: Sampler) -> None:
    with pytest.raises(MetricError) as caught:
        stream_comparison(FeatureBank(sampler), ["conv"], EXTRACTOR, num_samples=100)
    assert "conv learned avatars:toon-head at 32 px" in str(caught.value)
    command = "reference --data avatars:toon-head --resolution 32 --extractor colours"
    assert f"python -m training {command}" in str(caught.value)


def test_a_given_reference_is_used_for_all(sampler: Sampler) -> None:
    common = replace(REFERENCE, dataset=DATASET | {"name": "common", "fingerprint": "other"})
    updates = stream_comparison(
        FeatureBank(sampler), ["conv"], EXTRACTOR, num_samples=64, reference=common
    )
    assert [update.score.reference for update in updates] == ["common"]


def test_a_reference_of_another_resolution_is_refused(sampler: Sampler) -> None:
    common = replace(REFERENCE, dataset=DATASET | {"resolution": 64})
    with pytest.raises(MetricError, match=r"makes images of 32 px, but .* is of 64 px"):
        stream_comparison(
            FeatureBank(sampler), ["conv"], EXTRACTOR, num_samples=64, reference=common
        )


def test_wrong_requests_are_refused(ready: Sampler) -> None:
    with pytest.raises(MetricError, match="No models"):
        stream_comparison(FeatureBank(ready), [], EXTRACTOR)
    with pytest.raises(MetricError, match="16 to 50000"):
        stream_comparison(FeatureBank(ready), ["conv"], EXTRACTOR, num_samples=1)
    with pytest.raises(ConfigError, match="out of range"):
        stream_comparison(
            FeatureBank(ready), ["conv"], EXTRACTOR, num_samples=100, base_seed=2**32 - 50
        )


def test_models_of_one_weight_score_the_same(ready: Sampler, save_model: SaveModel) -> None:
    save_model(ready.library.folder, "twin", "conv")
    ready.library.rescan()
    updates = stream_comparison(FeatureBank(ready), ["conv", "twin"], EXTRACTOR, num_samples=64)
    first, second = (update.score.value for update in updates)
    assert first == second
