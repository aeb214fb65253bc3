"""Features that are computed once, whoever asks, and forgotten in the right order."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.feature_bank import BATCH_SIZE, FeatureBank
from explorer.library import CheckpointLibrary
from explorer.sampler import Sampler
from tests.explorer.conftest import SaveModel
from training.checkpoint import CheckpointHeader
from training.errors import CheckpointError, ConfigError, MetricError
from training.labels import ClassLabel, LabelLayout
from training.metrics.extractors import Extractor
from training.metrics.extractors.base import IMAGES_PER_PASS

MAX_SEED = 2**32 - 1


class CountingMean(nn.Module):
    """Average each channel, (B, 3, H, W) uint8 -> (B, 3), and note every batch size."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.batches.append(len(images))
        return images.float().mean(dim=(2, 3))


@pytest.fixture
def extractor() -> Extractor:
    """Return an extractor that counts what it computes."""
    return Extractor("colours", "FD-Colours", 3, CountingMean(), torch.device("cpu"))


def get_batches(extractor: Extractor) -> list[int]:
    """Return the sizes of the batches; each goes through the network in equal passes."""
    assert isinstance(extractor.network, CountingMean)
    passes, size = extractor.network.batches, IMAGES_PER_PASS["cpu"]
    assert set(passes) <= {size}
    num_passes = BATCH_SIZE // size
    return [sum(passes[at : at + num_passes]) for at in range(0, len(passes), num_passes)]


def compute_features(sampler: Sampler, name: str, seeds: range) -> np.ndarray:
    """Average the channels of a model's images with NumPy."""
    return sampler.sample_seeds(name, seeds).astype(np.float64).mean(axis=(1, 2))


def test_features_are_those_of_the_seeds_whatever_the_slices(
    sampler: Sampler, extractor: Extractor
) -> None:
    samples = FeatureBank(sampler).open("conv", extractor, base_seed=40)
    found = [samples.get(70, 5), samples.get(0, 10), samples.get(10, 60)]
    expected = compute_features(sampler, "conv", range(40, 115))
    assert found[0].dtype == np.float32
    np.testing.assert_allclose(found[0], expected[70:75], rtol=1e-6)
    np.testing.assert_allclose(np.concatenate(found[1:]), expected[:70], rtol=1e-6)
    assert (samples.model, samples.base_seed) == ("conv", 40)


def test_only_what_is_missing_is_computed_in_batches_of_16(
    sampler: Sampler, extractor: Extractor
) -> None:
    bank = FeatureBank(sampler)
    samples = bank.open("conv", extractor)
    assert samples.num_ready == 0
    samples.get(0, 17)
    assert (get_batches(extractor), samples.num_ready) == ([16, 16], 32)
    samples.get(10, 22)
    assert get_batches(extractor) == [16, 16]
    samples.get(48, 1)
    assert (len(get_batches(extractor)), samples.num_ready) == (3, 32)
    bank.open("conv", extractor).get(0, 64)
    assert (get_batches(extractor), samples.num_ready) == ([BATCH_SIZE] * 4, 64)
    assert bank.num_bytes == 64 * 3 * 4


def test_other_seeds_and_models_are_other_streams(sampler: Sampler, extractor: Extractor) -> None:
    bank = FeatureBank(sampler)
    bank.open("conv", extractor).get(0, 16)
    bank.open("conv", extractor, base_seed=16).get(0, 16)
    bank.open("linear", extractor).get(0, 16)
    assert get_batches(extractor) == [16] * 3


def test_models_of_the_same_weights_share_features(
    sampler: Sampler, extractor: Extractor, save_model: SaveModel
) -> None:
    save_model(sampler.library.folder, "twin", "conv")
    sampler.library.rescan()
    bank = FeatureBank(sampler)
    first = bank.open("conv", extractor).get(0, 32)
    np.testing.assert_array_equal(bank.open("twin", extractor).get(0, 32), first)
    assert get_batches(extractor) == [16, 16]


def test_whole_streams_go_the_one_used_longest_ago_first(
    sampler: Sampler, extractor: Extractor
) -> None:
    batch = 32 * 3 * 4
    bank = FeatureBank(sampler, max_bytes=3 * batch)
    conv, linear, grey = (bank.open(name, extractor) for name in ("conv", "linear", "grey"))
    conv.get(0, 32)
    linear.get(0, 64)
    conv.get(0, 32)  # used again: linear is the oldest now
    grey.get(0, 32)
    assert [one.num_ready for one in (conv, linear, grey)] == [32, 0, 32]
    assert bank.num_bytes == 2 * batch
    np.testing.assert_array_equal(linear.get(32, 32), linear.get(32, 32))


def test_the_stream_in_use_stays_however_large(sampler: Sampler, extractor: Extractor) -> None:
    bank = FeatureBank(sampler, max_bytes=1)
    samples = bank.open("conv", extractor)
    assert samples.get(0, 96).shape == (96, 3)
    assert samples.num_ready == 96
    bank.open("linear", extractor).get(0, 32)
    assert bank.num_bytes == 32 * 3 * 4


def test_two_threads_compute_the_same_samples_once(sampler: Sampler, extractor: Extractor) -> None:
    bank = FeatureBank(sampler)
    found: dict[int, np.ndarray] = {}
    everyone = threading.Barrier(4)

    def ask(number: int) -> None:
        samples = bank.open("conv", extractor)
        everyone.wait()
        found[number] = samples.get(0, 160)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get_batches(extractor) == [16] * 10
    for features in found.values():
        np.testing.assert_array_equal(features, found[0])


def test_a_replaced_file_is_another_stream(
    sampler: Sampler, extractor: Extractor, save_model: SaveModel
) -> None:
    bank = FeatureBank(sampler)
    old = bank.open("conv", extractor)
    before = old.get(0, 32)
    path = save_model(sampler.library.folder, "conv", seed=9)
    os.utime(path, ns=(10**18, 10**18))
    sampler.library.rescan()
    new = bank.open("conv", extractor)
    assert new.fingerprint != old.fingerprint
    assert not np.array_equal(new.get(0, 32), before)
    np.testing.assert_array_equal(old.get(0, 32), before)
    with pytest.raises(MetricError, match="conv was replaced by another file"):
        old.get(32, 32)


SHADES = LabelLayout((ClassLabel("shade", ("dark", "middle", "light"), (0.25, 0.25, 0.5)),))


class ClassPainter(nn.Module):
    """Paint every image of class k in the grey of 0.5 k - 0.5."""

    def render(self, z: Tensor, vectors: Tensor) -> Tensor:
        grey = 0.5 * vectors.argmax(dim=1) - 0.5
        return grey[:, None, None, None].expand(-1, 3, 32, 32)


class ClassLibrary(CheckpointLibrary):
    """Hold models that have a label of three classes."""

    def load(self, name: str) -> tuple[nn.Module, CheckpointHeader]:
        header = super().load(name)[1]
        return ClassPainter(), replace(header, model=replace(header.model, labels=SHADES))


def test_labels_are_drawn_by_seed(folder: Path, extractor: Extractor) -> None:
    sampler = Sampler(ClassLibrary(folder))
    found = FeatureBank(sampler).open("conv", extractor, base_seed=7).get(0, 5)
    greys = {0: 64, 1: 128, 2: 191}  # of -0.5, 0 and 0.5 in 0 to 255
    drawn = SHADES.draw(range(7, 12))
    np.testing.assert_array_equal(found[:, 0], [greys[int(row)] for row in drawn])
    assert len(set(found[:, 0])) > 1


def test_samples_end_at_the_last_seed(sampler: Sampler, extractor: Extractor) -> None:
    samples = FeatureBank(sampler).open("conv", extractor, base_seed=MAX_SEED - 39)
    assert samples.get(0, 40).shape == (40, 3)
    assert (get_batches(extractor), samples.num_ready) == ([16, 16, 8], 40)
    with pytest.raises(ConfigError, match="out of range"):
        samples.get(8, 33)


def test_wrong_requests_are_refused(sampler: Sampler, extractor: Extractor) -> None:
    bank = FeatureBank(sampler)
    with pytest.raises(CheckpointError, match="There is no model 'nobody'"):
        bank.open("nobody", extractor)
    with pytest.raises(ConfigError, match="out of range"):
        bank.open("conv", extractor, base_seed=-1)
    with pytest.raises(MetricError, match="found 0 samples from 3 on"):
        bank.open("conv", extractor).get(3, 0)


def test_an_extractor_is_loaded_once(sampler: Sampler) -> None:
    bank = FeatureBank(sampler)
    first = bank.get_extractor("efficientnet-lite0")
    assert bank.get_extractor("efficientnet-lite0") is first
    with pytest.raises(MetricError, match="vgg"):
        bank.get_extractor("vgg")
