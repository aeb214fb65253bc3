"""The parts of a diagnosis as records."""

from __future__ import annotations

import math

import numpy as np
import pytest

from explorer.diagnosis.copy_search import CopySearch, explain_no_search
from explorer.diagnosis.parts import (
    build_duplicates,
    build_map,
    build_metrics,
    build_modes,
    build_spread,
    compute_entropy,
    prepare_metrics,
)
from explorer.diagnosis.types import Copying, Diagnosis, MetricRow
from tests.explorer.diagnosis.conftest import World, choose, draw_from
from training.metrics.modes import ModeClassifier
from training.metrics.registry import METRICS
from training.subset import choose_subset


def build_classifier(real_shares: tuple[float, ...]) -> ModeClassifier:
    count = len(real_shares)
    values = tuple("abcdef"[:count])
    blank = np.zeros((count, 1), np.float32)
    return ModeClassifier("label", values, blank, blank[:, 0], 0.9, real_shares, 100)


def test_values_are_missing_or_rare_by_the_upper_end_of_their_interval() -> None:
    classifier = build_classifier((0.4, 0.3, 0.2, 0.095, 0.005))
    counts = np.array([800, 140, 59, 1, 0])
    (mode,) = build_modes([counts], [classifier])
    # 14.0 % of 1,000 is at most 16.3 %, above 15; 5.9 % at most 7.5 %, below 10; 0.1 % at most
    # 0.6 %, below 1.9; and 0.5 % of the real images are too few to miss.
    assert (mode.missing, mode.rare) == (("d",), ("c",))
    assert mode.shares == pytest.approx((0.8, 0.14, 0.059, 0.001, 0))
    assert mode.num_samples == 1000


def test_few_samples_miss_nothing() -> None:
    (mode,) = build_modes([np.array([10, 0])], [build_classifier((0.5, 0.5))])
    assert mode.missing == ()


def test_entropy_in_bits() -> None:
    assert compute_entropy(np.array([0.25] * 4)) == pytest.approx(2)
    assert compute_entropy(np.array([1.0, 0.0])) == 0
    assert compute_entropy(np.array([0.9, 0.1])) == pytest.approx(
        -0.9 * math.log2(0.9) - 0.1 * math.log2(0.1)
    )


def test_metrics_are_those_of_the_registry_beside_the_baselines(world: World) -> None:
    real = world.reference.real
    assert real is not None
    features = choose(world.held_out, 512, 0)
    rows = build_metrics(features, real, prepare_metrics(real))
    assert [row.key for row in rows] == ["precision", "recall", "density", "coverage"]
    for row in rows:
        assert row.value == METRICS[row.key].compute(features, real).value
        assert row.real_value == dict(real.baselines[row.key])[512]
        assert row.value == pytest.approx(row.real_value, abs=0.15)


def test_the_spread_of_real_images_is_their_own(world: World) -> None:
    real = world.reference.real
    assert real is not None
    row = MetricRow("recall", "Recall", 0.5, None)
    found = build_spread(world.training, real, (row,), 7)
    assert found.ratio == pytest.approx(1, abs=0.01)
    assert (found.metrics, found.num_measured) == ((row,), 7)


def test_levels_grow_and_name_what_real_images_have(world: World) -> None:
    real = world.reference.real
    assert real is not None
    found = build_duplicates(draw_from(world.held_out[:20], 300, 0), real, base_seed=9)
    assert found is not None
    assert [level.real_share for level in found.levels] == [1e-5, 1e-4, 1e-3, 1e-2]
    assert [level.expected for level in found.levels] == pytest.approx(
        [0.4485, 4.485, 44.85, 448.5]
    )
    assert [level.num_pairs for level in found.levels] == sorted(
        level.num_pairs for level in found.levels
    )
    assert all(9 <= pair.first_seed < pair.second_seed < 309 for pair in found.closest)


def test_the_map_thins_many_points_and_names_them(world: World) -> None:
    real = world.reference.real
    assert real is not None
    found = build_map(choose(world.held_out, 2000, 0), real, base_seed=50)
    assert found.sample_seeds == tuple(50 + choose_subset(2000, 1000))
    assert found.real_indices == tuple(real.indices.tolist())
    assert found.sample_positions.shape == (1000, 4)
    assert found.real_positions.shape == (800, 4)
    assert list(found.explained_shares) == sorted(found.explained_shares, reverse=True)
    # Samples and real images of one kind lie in one place.
    gap = found.sample_positions.mean(axis=0) - found.real_positions.mean(axis=0)
    assert np.abs(gap).max() < 0.2 * found.real_positions.std()


def test_samples_that_repeat_count_once_as_evidence(world: World) -> None:
    real = world.reference.real
    assert real is not None
    search = CopySearch(real, 1600)
    search.search(np.repeat(real.features[:1], 500, axis=0))
    alone = search.build(0, support=1.0)
    assert alone.close_share == 1
    assert alone.close_share_interval[0] == pytest.approx(0.2065, abs=1e-3)  # one of one
    assert search.build(0, support=None).close_share_interval[0] > 0.99


def test_samples_are_searched_once_each(world: World) -> None:
    real = world.reference.real
    assert real is not None
    features = choose(world.held_out, 300, 0)
    search, at_once = CopySearch(real, 1600), CopySearch(real, 1600)
    for end in (64, 64, 200, 300):
        search.search(features[:end])
    at_once.search(features)
    assert search.build(0, None).to_dict() == at_once.build(0, None).to_dict()
    assert search.build(0, None).num_samples == 300


def test_too_few_real_images_are_explained(world: World) -> None:
    real = world.reference.real
    assert real is not None
    assert explain_no_search(real) is None
    few = type(real)(
        real.indices[:9], real.features[:9], real.indices[:9],
        1.0, real.pair_quantiles, real.nearest_distances,
    )  # fmt: skip
    reason = explain_no_search(few)
    assert reason is not None
    assert "9 real images" in reason


def test_records_become_json_values() -> None:
    copying = Copying(close_share_interval=(0.0, math.inf), reason="none")
    record = Diagnosis("m", "e", "r", 1, 2, "stage", copying=copying)
    values = record.to_dict()
    assert values["copying"]["close_share_interval"] == [0.0, None]
    assert values["modes"] == []
    assert values["map"] is None
