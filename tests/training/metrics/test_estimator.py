"""Scores as samples come in."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from training.errors import MetricError
from training.metrics.estimator import ScoreEstimator, compute_score
from training.metrics.frechet import compute_frechet_distance, compute_statistics
from training.metrics.reference import compute_reference
from training.metrics.sampling import make_features
from training.metrics.score import describe_score


@pytest.fixture
def reference(tiny_extractor, make_dataset):
    return compute_reference(make_dataset(300, seed=1), "tiny", progress=False)


@pytest.fixture
def samples(make_images):
    """Make 500 images that are darker than the reference's."""
    return torch.from_numpy(make_images(500, seed=2) // 2)


@pytest.fixture
def get_features(samples, tiny_extractor):
    return make_features(lambda start, count: samples[start : start + count], tiny_extractor)


@pytest.mark.parametrize("num_samples", [16, 47, 48, 65, 500])
@pytest.mark.parametrize("batch_size", [7, 64, 1000])
def test_the_score_is_the_distance_of_all_samples(
    reference, tiny_extractor, samples, get_features, num_samples, batch_size
):
    score = compute_score(get_features, reference, tiny_extractor, num_samples, batch_size)
    features = tiny_extractor(samples[:num_samples]).numpy()
    expected = compute_frechet_distance(compute_statistics(features), reference.statistics)
    assert score.num_samples == num_samples
    assert score.value == pytest.approx(expected, rel=1e-6)
    assert score.interval[0] < score.value < score.interval[1]
    assert score.infinite_n_interval[0] < score.infinite_n < score.infinite_n_interval[1]


def test_an_estimator_that_is_kept_continues(reference, tiny_extractor, get_features):
    estimator = ScoreEstimator(reference, tiny_extractor)
    estimator.update(get_features(0, 100))
    first = estimator.compute()
    assert first == compute_score(get_features, reference, tiny_extractor, 100, 100)
    estimator.update(get_features(100, 200))
    whole = compute_score(get_features, reference, tiny_extractor, 300)
    assert estimator.compute().value == pytest.approx(whole.value, rel=1e-9)
    assert estimator.compute().infinite_n == pytest.approx(whole.infinite_n, rel=1e-6)


def test_every_sample_is_asked_for_once_and_in_order(reference, tiny_extractor, get_features):
    asked = []

    def get(start, count):
        asked.extend(range(start, start + count))
        return get_features(start, count)

    compute_score(get, reference, tiny_extractor, 300, 50)
    assert asked == list(range(300))


def test_a_score_carries_what_is_needed_to_judge_it(reference, tiny_extractor, get_features):
    score = compute_score(get_features, reference, tiny_extractor, 100)
    assert (score.score_name, score.extractor) == ("FD-Tiny", "tiny")
    assert (score.reference, score.num_samples) == ("Noise", 100)
    assert score.noise_floor == reference.get_noise_floor(100)
    assert score.is_noise_floor_measured
    assert not compute_score(get_features, reference, tiny_extractor, 400).is_noise_floor_measured


def test_a_score_is_plain_json(reference, tiny_extractor, get_features):
    score = compute_score(get_features, reference, tiny_extractor, 100)
    described = json.loads(json.dumps(describe_score(score)))
    assert described.pop("score") == score.value
    assert described == {
        "score_name": "FD-Tiny",
        "extractor": "tiny",
        "num_samples": 100,
        "reference": "Noise",
        "noise_floor": score.noise_floor,
        "is_noise_floor_measured": True,
        "interval": list(score.interval),
        "infinite_n": score.infinite_n,
        "infinite_n_interval": list(score.infinite_n_interval),
    }


def test_real_images_score_near_the_noise_floor_and_dark_ones_far_above(
    reference, tiny_extractor, make_images, get_features
):
    fresh = tiny_extractor(torch.from_numpy(make_images(150, seed=9))).numpy()
    real = compute_score(lambda start, n: fresh[start : start + n], reference, tiny_extractor, 150)
    dark = compute_score(get_features, reference, tiny_extractor, 150)
    assert 0.8 * real.noise_floor < real.value < 1.25 * real.noise_floor
    # The limit takes out the bias of 150 samples; that of the reference's 300 images stays.
    assert 0 < real.infinite_n < 0.6 * real.value
    # Halving the pixels moves each of 48 means from 0.5 by 0.25, half a level aside: 48 / 16 = 3.
    assert dark.value == pytest.approx(3.0, abs=0.3)


def test_features_of_other_weights_are_not_compared(reference, tiny_extractor):
    other = dataclasses.replace(tiny_extractor, weights="0123456789abcdef")
    with pytest.raises(MetricError, match=r"the usual weights of tiny.*SHA-256 0123456789abcdef"):
        ScoreEstimator(reference, other)
    details = reference.details | {"extractor_weights": "0123456789abcdef"}
    fitting = dataclasses.replace(reference, details=details)
    assert ScoreEstimator(fitting, other).num_samples == 0
    with pytest.raises(MetricError, match="use one of the same weights"):
        ScoreEstimator(fitting, tiny_extractor)


def test_batches_are_counted(reference, tiny_extractor, get_features):
    counts: list[int] = []
    compute_score(get_features, reference, tiny_extractor, 70, 32, counts.append)
    assert counts == [32, 32, 6]


def test_another_extractor_than_the_references_is_refused(reference, tiny_extractor, get_features):
    other = dataclasses.replace(tiny_extractor, key="other")
    with pytest.raises(MetricError, match=r"extractor tiny, the samples would use other"):
        compute_score(get_features, reference, other, 100)


@pytest.mark.parametrize("num_samples", [-5, 0, 1, 15])
def test_too_few_samples_are_refused(reference, tiny_extractor, get_features, num_samples):
    with pytest.raises(MetricError, match="expected at least 16"):
        compute_score(get_features, reference, tiny_extractor, num_samples)


def test_empty_batches_are_refused(reference, tiny_extractor, get_features):
    with pytest.raises(MetricError, match="batches of 0"):
        compute_score(get_features, reference, tiny_extractor, 20, 0)


def test_sources_that_run_dry_are_refused(reference, tiny_extractor, get_features):
    """A source with fewer samples than promised must not loop forever."""
    few = get_features(0, 64)
    with pytest.raises(MetricError, match="0 of the 36 samples"):
        compute_score(
            lambda start, count: few[start : start + count], reference, tiny_extractor, 100, 64
        )


def test_means_of_dark_images_are_as_computed_by_hand(samples):
    """Levels 0 to 255 halved and rounded down average 63.5: the basis of the value 3.0 above."""
    assert float(np.mean(samples.numpy())) == pytest.approx(63.5, abs=0.3)
