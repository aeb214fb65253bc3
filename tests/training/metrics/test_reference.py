"""Reference statistics: what they are computed of."""

import dataclasses

import numpy as np
import pytest

from tests.training.metrics.references import block_means, make_labelled
from training.errors import MetricError
from training.metrics.extractors import load_extractor
from training.metrics.frechet import compute_statistics
from training.metrics.kid import compute_kid
from training.metrics.reference import (
    compute_reference,
    load_reference,
    save_reference,
)


def test_statistics_are_those_of_the_features(reference, make_dataset):
    expected = compute_statistics(block_means(make_dataset(200)))
    np.testing.assert_allclose(reference.statistics.mean, expected.mean, rtol=1e-5)
    np.testing.assert_allclose(reference.statistics.covariance, expected.covariance, atol=1e-7)
    assert reference.statistics.num_samples == 200
    assert [count for count, _ in reference.noise_floor] == [16, 32, 64, 100]
    assert reference.details == {"num_images_used": 200, "num_images": 200, "selection": "all"}


def test_of_a_large_data_set_some_images_are_measured(tiny_extractor, make_dataset):
    dataset = make_dataset(200)
    reference = compute_reference(dataset, "tiny", progress=False, max_images=50)
    measured = reference.real.measured_indices
    assert len(set(measured.tolist())) == 50
    assert np.isin(reference.real.indices, measured).all()
    thinned = dataclasses.replace(dataset, images=dataset.images[measured])
    expected = compute_statistics(block_means(thinned))
    np.testing.assert_allclose(reference.statistics.mean, expected.mean, rtol=1e-5)
    assert reference.details["selection"] == "chosen at random"
    assert reference.details["num_images_used"] == 50


def test_the_noise_floor_knows_where_it_was_measured(reference):
    assert reference.get_noise_floor(64) == pytest.approx(dict(reference.noise_floor)[64])
    assert [reference.is_noise_floor_measured(n) for n in (15, 16, 70, 100, 101)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert reference.get_noise_floor(1000) < reference.get_noise_floor(100)


def test_too_small_a_data_set_is_refused(tiny_extractor, make_dataset):
    with pytest.raises(MetricError, match=r"3 image\(s\), expected at least 4"):
        compute_reference(make_dataset(3), "tiny", progress=False)


def test_grey_data_sets_work(tiny_extractor, make_dataset):
    colour = make_dataset(20)
    grey = dataclasses.replace(colour, images=colour.images[:, :1])
    statistics = compute_reference(grey, "tiny", progress=False).statistics
    np.testing.assert_allclose(statistics.mean[:16], statistics.mean[32:])


def test_the_default_extractor_makes_a_reference(make_dataset, tmp_path):
    dataset = make_dataset(8)
    reference = compute_reference(dataset, "efficientnet-lite0", progress=False)
    assert reference.statistics.mean.shape == (1280,)
    path = tmp_path / "reference.safetensors"
    save_reference(path, reference)
    assert load_reference(path).extractor == load_extractor("efficientnet-lite0").key


def test_the_real_features_kept_are_those_of_half_of_the_images(reference, make_dataset):
    kept = reference.real
    assert len(set(kept.indices.tolist())) == 100
    np.testing.assert_allclose(
        kept.features, block_means(make_dataset(200))[kept.indices], rtol=1e-3
    )
    assert kept.measured_indices.tolist() == list(range(200))
    # Held-out images of the same noise get a KID near 0 against those kept.
    ((count, kid),) = [pair for pair in kept.baselines["kid"] if pair[0] == 100]
    assert count == 100
    assert abs(kid) < 0.01


def test_sources_in_turn_do_not_part_what_is_kept_from_what_is_held_out(
    tiny_extractor, make_dataset
):
    """Every other image is darker: kept and held-out ones are of both kinds, and alike."""
    dataset = make_labelled(make_dataset(400))
    reference = compute_reference(dataset, "tiny", progress=False)
    features, kept = block_means(dataset), reference.real
    held_out = np.delete(features, kept.indices, axis=0)
    assert len(held_out) == 200
    found = compute_kid(held_out, kept.features).value
    (*_, (count, kid)) = kept.baselines["kid"]
    assert (count, kid) == (200, pytest.approx(found, rel=1e-3))
    # As far apart as every other image would part them, the two kinds are.
    assert abs(found) < 0.03 * compute_kid(features[::2], features[1::2]).value


def test_sources_in_turn_are_measured_alike(tiny_extractor, make_dataset):
    dataset = make_labelled(make_dataset(2000))
    reference = compute_reference(dataset, "tiny", progress=False, max_images=500)
    brightness = block_means(dataset).mean(axis=1)
    error = brightness.std() / np.sqrt(500)
    assert reference.statistics.mean.mean() == pytest.approx(brightness.mean(), abs=2 * error)
    assert abs(brightness[::2].mean() - brightness.mean()) > 10 * error  # what a stride would find


def test_labels_get_classifiers_that_survive_the_file(tiny_extractor, make_dataset, tmp_path):
    dataset = make_labelled(make_dataset(200))
    reference = compute_reference(dataset, "tiny", progress=False)
    (mode,) = reference.modes
    assert (mode.name, mode.values, mode.num_held_out) == ("light", ("dark", "bright"), 40)
    assert mode.accuracy == 1.0
    save_reference(tmp_path / "file.safetensors", reference)
    (loaded,) = load_reference(tmp_path / "file.safetensors").modes
    features = block_means(dataset)
    np.testing.assert_array_equal(loaded.classify(features), mode.classify(features))
    assert loaded.real_shares == mode.real_shares
    assert loaded.accuracy == mode.accuracy
