"""Scores that are known: in memory, on disk, and with an estimator to go on from."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from explorer.score_results import (
    MAX_ESTIMATORS,
    ResultKey,
    ScoreResults,
    identify_reference,
    read_score,
)
from training.metrics.frechet import FeatureStatistics
from training.metrics.reference import ReferenceStatistics
from training.metrics.score import Score, describe_score

KEY = ResultKey("ab" * 16, "efficientnet-lite0", "cd" * 16, 0)
OTHER_KEYS = (
    replace(KEY, fingerprint="ef" * 16),
    replace(KEY, extractor="inception"),
    replace(KEY, reference="01" * 16),
    replace(KEY, base_seed=1),
)


def make_score(num_samples: int, value: float = 30.0) -> Score:
    return Score(
        value=value,
        score_name="FD-EfficientNet-Lite0",
        extractor="efficientnet-lite0",
        num_samples=num_samples,
        reference="Avatars",
        noise_floor=12.0,
        is_noise_floor_measured=True,
        interval=(value - 1, value + 1),
        infinite_n=value - 10,
        infinite_n_interval=(value - 14, value - 6),
    )


@dataclass
class Counter:
    """Stand for an estimator, of which the results see the number of samples only."""

    num_samples: int


def list_counts(results: ScoreResults, key: ResultKey = KEY, up_to: int = 10**6) -> list[int]:
    return [score.num_samples for score in results.get(key, up_to)]


def test_scores_come_back_by_growing_number_up_to_the_one_asked_for() -> None:
    results = ScoreResults()
    for count in (128, 64, 256):
        results.add(KEY, make_score(count))
    assert list_counts(results) == [64, 128, 256]
    assert list_counts(results, up_to=255) == [64, 128]
    assert results.get(KEY, 64) == (make_score(64),)


@pytest.mark.parametrize("other", OTHER_KEYS)
def test_every_part_of_the_key_counts(tmp_path: Path, other: ResultKey) -> None:
    results = ScoreResults(tmp_path)
    results.add(KEY, make_score(64))
    results.save(KEY)
    assert results.get(other, 64) == ()
    assert ScoreResults(tmp_path).get(other, 64) == ()
    assert other.file_name != KEY.file_name


def test_scores_outlive_the_program(tmp_path: Path) -> None:
    results = ScoreResults(tmp_path / "scores")
    for count in (64, 96):
        results.add(KEY, make_score(count, value=count / 7))
    assert not (tmp_path / "scores").exists()
    results.save(KEY)
    again = ScoreResults(tmp_path / "scores")
    assert again.get(KEY, 96) == (make_score(64, 64 / 7), make_score(96, 96 / 7))


def test_later_scores_join_those_on_disk(tmp_path: Path) -> None:
    for count in (64, 128):
        results = ScoreResults(tmp_path)
        results.add(KEY, make_score(count))
        results.save(KEY)
    assert list_counts(ScoreResults(tmp_path)) == [64, 128]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: "\x00" * 20,
        lambda text: text.replace('"format_version": 1', '"format_version": 99'),
        lambda text: text.replace('"base_seed": 0', '"base_seed": 5'),
        lambda text: text.replace('"noise_floor": 12.0', '"noise_floor": "low"'),
        lambda text: text.replace('"score": 30.0', '"score": NaN'),
        lambda text: text.replace('"interval"', '"range"'),
        lambda text: text.replace('"num_samples": 64', '"num_samples": -1'),
    ],
)
def test_a_damaged_file_counts_as_absent_and_is_replaced(tmp_path: Path, change) -> None:
    results = ScoreResults(tmp_path)
    results.add(KEY, make_score(64))
    results.save(KEY)
    path = tmp_path / KEY.file_name
    damaged = change(path.read_text())
    assert damaged != path.read_text()
    path.write_text(damaged)
    again = ScoreResults(tmp_path)
    assert again.get(KEY, 64) == ()
    again.add(KEY, make_score(32))
    again.save(KEY)
    assert list_counts(ScoreResults(tmp_path)) == [32]


def test_a_place_that_cannot_be_written_loses_nothing_in_memory(tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("a file where the folder should be")
    results = ScoreResults(tmp_path / "scores")
    results.add(KEY, make_score(64))
    results.save(KEY)
    assert list_counts(results) == [64]


def test_files_stay_small_and_keep_what_was_asked_for(tmp_path: Path) -> None:
    results = ScoreResults(tmp_path)
    for count in range(10, 20_001, 10):
        results.add(KEY, make_score(count), is_asked_for=count in (1000, 1010, 5000))
    results.save(KEY)
    counts = list_counts(ScoreResults(tmp_path))
    assert {10, 1000, 1010, 5000, 20_000} <= set(counts)
    assert 100 < len(counts) < 200
    assert list_counts(results) == counts
    data = json.loads((tmp_path / KEY.file_name).read_text())
    assert data["points"][0] == describe_score(make_score(10))
    assert (tmp_path / KEY.file_name).stat().st_size < 100_000


def test_an_estimator_is_handed_out_once_and_only_if_it_has_few_enough() -> None:
    results = ScoreResults()
    kept = Counter(500)
    results.keep_estimator(KEY, kept)
    assert results.take_estimator(OTHER_KEYS[0], 1000) is None
    assert results.take_estimator(KEY, 499) is None
    assert results.take_estimator(KEY, 500) is kept
    assert results.take_estimator(KEY, 500) is None


def test_the_estimator_that_saw_more_is_kept() -> None:
    results = ScoreResults()
    more = Counter(500)
    results.keep_estimator(KEY, more)
    results.keep_estimator(KEY, Counter(100))
    assert results.take_estimator(KEY, 10**6) is more


def test_few_estimators_are_kept_the_ones_used_last() -> None:
    results = ScoreResults()
    keys = [replace(KEY, base_seed=seed) for seed in range(MAX_ESTIMATORS + 1)]
    for key in keys:
        results.keep_estimator(key, Counter(10))
    assert results.take_estimator(keys[0], 10) is None
    assert all(results.take_estimator(key, 10) is not None for key in keys[1:])


def test_a_score_is_read_as_it_was_described() -> None:
    score = make_score(64)
    assert read_score(json.loads(json.dumps(describe_score(score)))) == score
    with pytest.raises(ValueError, match="a score has the fields"):
        read_score({"score": 3.0})


def test_a_reference_is_known_by_what_scores_depend_on() -> None:
    statistics = FeatureStatistics(np.zeros(3), np.eye(3), 100)
    dataset = {"name": "avatars", "resolution": 64, "fingerprint": "f00d"}
    first = ReferenceStatistics(dataset, "colours", statistics, ((10, 2.0),))
    again = ReferenceStatistics(
        dict(dataset), "colours", FeatureStatistics(np.zeros(3), np.eye(3), 100), ((10, 2.0),)
    )
    assert identify_reference(first) == identify_reference(again)
    others = [
        replace(first, dataset=dataset | {"fingerprint": "beef"}),
        replace(first, extractor="inception"),
        replace(first, noise_floor=((10, 2.5),)),
        replace(first, statistics=FeatureStatistics(np.ones(3), np.eye(3), 100)),
        replace(first, statistics=FeatureStatistics(np.zeros(3), 2 * np.eye(3), 100)),
        replace(first, statistics=FeatureStatistics(np.zeros(3), np.eye(3), 101)),
    ]
    assert len({identify_reference(one) for one in (first, *others)}) == 7
