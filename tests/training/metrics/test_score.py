"""Scores as samples come in."""

import dataclasses

import numpy as np
import pytest
import torch

from training.errors import MetricError
from training.metrics.frechet import compute_frechet_distance, compute_statistics
from training.metrics.reference import compute_reference
from training.metrics.score import compute_score, stream_scores


@pytest.fixture
def reference(tiny_extractor, make_dataset):
    return compute_reference(make_dataset(300, seed=1), "tiny", progress=False)


@pytest.fixture
def samples(make_images):
    """Make 500 images that are darker than the reference's."""
    return torch.from_numpy(make_images(500, seed=2) // 2)


@pytest.fixture
def make_samples(samples):
    return lambda start, count: samples[start : start + count]


@pytest.mark.parametrize("num_samples", [2, 40, 64, 65, 500])
@pytest.mark.parametrize("batch_size", [7, 64, 1000])
def test_every_value_is_the_distance_of_the_samples_so_far(
    reference, tiny_extractor, samples, make_samples, num_samples, batch_size
):
    scores = list(stream_scores(make_samples, reference, tiny_extractor, num_samples, batch_size))
    assert scores[-1].num_samples == num_samples
    for score in scores:
        features = tiny_extractor(samples[: score.num_samples]).numpy()
        expected = compute_frechet_distance(compute_statistics(features), reference.statistics)
        assert score.value == pytest.approx(expected, rel=1e-6)


def test_the_stream_ends_with_the_score_in_one_go(reference, tiny_extractor, make_samples):
    *_, last = stream_scores(make_samples, reference, tiny_extractor, 500, 33)
    once = compute_score(make_samples, reference, tiny_extractor, 500, 500)
    assert last.value == pytest.approx(once.value, rel=1e-9)
    assert last.noise_floor == once.noise_floor


@pytest.mark.parametrize("batch_size", [10, 64, 500])
def test_the_first_value_comes_early(reference, tiny_extractor, make_samples, batch_size):
    first = next(stream_scores(make_samples, reference, tiny_extractor, 500, batch_size))
    assert 64 <= first.num_samples <= 128


def test_every_sample_is_made_once_and_in_order(reference, tiny_extractor, samples):
    made = []

    def make_samples(start, count):
        made.extend(range(start, start + count))
        return samples[start : start + count]

    list(stream_scores(make_samples, reference, tiny_extractor, 300, 50))
    assert made == list(range(300))


def test_a_closed_stream_makes_no_more_images(reference, tiny_extractor, samples):
    made = []

    def make_samples(start, count):
        made.append(count)
        return samples[start : start + count]

    scores = stream_scores(make_samples, reference, tiny_extractor, 500, 64)
    next(scores)
    scores.close()
    assert made == [64]
    assert list(scores) == []


def test_a_score_carries_what_is_needed_to_judge_it(reference, tiny_extractor, make_samples):
    score = compute_score(make_samples, reference, tiny_extractor, 100)
    assert (score.score_name, score.extractor) == ("FD-Tiny", "tiny")
    assert (score.reference, score.num_samples) == ("Noise", 100)
    assert score.noise_floor == reference.get_noise_floor(100)
    assert score.is_noise_floor_measured
    assert not compute_score(make_samples, reference, tiny_extractor, 400).is_noise_floor_measured


def test_real_images_score_near_the_noise_floor_and_dark_ones_far_above(
    reference, tiny_extractor, make_images, make_samples
):
    fresh = torch.from_numpy(make_images(150, seed=9))
    real = compute_score(lambda start, n: fresh[start : start + n], reference, tiny_extractor, 150)
    dark = compute_score(make_samples, reference, tiny_extractor, 150)
    assert 0.8 * real.noise_floor < real.value < 1.25 * real.noise_floor
    # Halving the pixels moves each of 48 means from 0.5 by 0.25, half a level aside: 48 / 16 = 3.
    assert dark.value == pytest.approx(3.0, abs=0.3)


def test_batches_are_counted(reference, tiny_extractor, make_samples):
    counts: list[int] = []
    compute_score(make_samples, reference, tiny_extractor, 70, 32, counts.append)
    assert counts == [32, 32, 6]


def test_another_extractor_than_the_references_is_refused(reference, tiny_extractor, make_samples):
    other = dataclasses.replace(tiny_extractor, key="other")
    with pytest.raises(MetricError, match=r"extractor tiny, the samples would use other"):
        next(stream_scores(make_samples, reference, other, 100))
    with pytest.raises(MetricError, match="use the same one"):
        compute_score(make_samples, reference, other, 100)


@pytest.mark.parametrize(("num_samples", "batch_size"), [(1, 8), (0, 8), (-5, 8), (10, 0)])
def test_impossible_requests_are_refused(
    reference, tiny_extractor, make_samples, num_samples, batch_size
):
    with pytest.raises(MetricError, match="expected at least 2 samples"):
        compute_score(make_samples, reference, tiny_extractor, num_samples, batch_size)


def test_generators_that_run_dry_are_refused(reference, tiny_extractor, samples):
    """A source with fewer images than promised must not loop forever."""
    with pytest.raises(MetricError, match="0 of the 36 images"):
        list(
            stream_scores(
                lambda start, count: samples[:64][start : start + count],
                reference, tiny_extractor, 100, 64,
            )
        )  # fmt: skip


def test_means_of_dark_images_are_as_computed_by_hand(samples):
    """Levels 0 to 255 halved and rounded down average 63.5: the basis of the value 3.0 above."""
    assert float(np.mean(samples.numpy())) == pytest.approx(63.5, abs=0.3)
