"""Diagnoses of generators with known faults, from the first samples to the verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explorer.diagnosis.request import DiagnosisOptions
from explorer.diagnosis.stream import stream_diagnosis
from explorer.diagnosis.types import Diagnosis
from explorer.sampler import Sampler
from tests.explorer.diagnosis.conftest import DIM, SHAPES, Table, World, choose, draw_from
from training.errors import ConfigError, MetricError
from training.metrics.real_features import measure_real_features

NUM_SAMPLES = 800
SEEDS = range(3)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(world: World, table: Table, has_dataset: bool = True) -> list[Diagnosis]:
    """Run a diagnosis to its end."""
    options = DiagnosisOptions(len(table.features), has_sensitivity=False)
    dataset = world.dataset if has_dataset else None
    return list(stream_diagnosis(None, table, world.reference, options, dataset))


def conclude(world: World, features: np.ndarray, has_dataset: bool = True) -> Diagnosis:
    last = run(world, Table(features), has_dataset)[-1]
    assert last.is_done
    assert last.verdict is not None
    return last


@pytest.mark.parametrize("num_modes", [1, 10, 100, 500])
def test_a_collapse_is_recognised_with_its_support(world: World, num_modes: int) -> None:
    for seed in SEEDS:
        modes = choose(world.held_out, num_modes, seed)
        found = conclude(world, draw_from(modes, NUM_SAMPLES, seed))
        assert found.verdict is not None
        assert (found.verdict.kind, found.verdict.level) == ("collapsed", "bad")
        assert found.duplicates is not None
        assert found.duplicates.support == pytest.approx(num_modes, rel=0.35)


def test_missing_values_are_named(world: World) -> None:
    kept = world.held_out[np.isin(world.shapes, [0, 2])]
    for seed in SEEDS:
        found = conclude(world, choose(kept, NUM_SAMPLES, seed))
        assert found.verdict is not None
        assert (found.verdict.kind, found.verdict.level) == ("missing_modes", "bad")
        assert found.modes[0].missing == (SHAPES[1], SHAPES[3])
        assert "disc" in found.verdict.text
        assert "star" in found.verdict.text
        assert found.modes[0].entropy == pytest.approx(1, abs=0.1)
        assert found.modes[0].real_entropy == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize("has_dataset", [True, False])
def test_copies_are_recognised(world: World, has_dataset: bool) -> None:
    for seed in SEEDS:
        copied = choose(world.training, 200, seed)
        found = conclude(world, draw_from(copied, NUM_SAMPLES, seed), has_dataset)
        assert found.verdict is not None
        assert (found.verdict.kind, found.verdict.level) == ("copies", "bad")
        assert found.copying is not None
        # Without the data set only the half that the reference keeps can be found.
        assert found.copying.close_share == pytest.approx(1 if has_dataset else 0.5, abs=0.15)
        assert found.copying.num_real == (1600 if has_dataset else 800)
        assert "as if it made about" in found.verdict.text  # the collapse is said as well


def test_a_healthy_generator_is_not_accused(world: World) -> None:
    for seed in SEEDS:
        found = conclude(world, choose(world.held_out, NUM_SAMPLES, seed))
        assert found.verdict is not None
        assert (found.verdict.kind, found.verdict.level) == ("healthy", "good")
        assert found.spread is not None
        assert found.spread.ratio == pytest.approx(1, abs=0.03)
        assert found.copying is not None
        assert found.copying.close_share < 0.04


def test_samples_that_are_too_alike_are_said_to_be(world: World) -> None:
    centre = world.held_out.mean(axis=0)
    narrow = centre + 0.5 * (choose(world.held_out, NUM_SAMPLES, 0) - centre)
    found = conclude(world, narrow)
    assert found.verdict is not None
    assert found.spread is not None
    assert found.spread.ratio == pytest.approx(0.5, abs=0.02)
    findings = {finding.part: finding for finding in found.verdict.findings}
    assert (findings["spread"].kind, findings["spread"].level) == ("low_spread", "bad")
    assert findings["duplicates"].kind == "healthy"


def test_few_samples_cannot_tell(world: World) -> None:
    found = conclude(world, choose(world.held_out, 64, 0))
    assert found.verdict is not None
    assert (found.verdict.kind, found.verdict.level) == ("unsure", "unknown")
    assert "not enough samples" in found.verdict.text


def test_few_samples_are_enough_for_a_heavy_collapse(world: World) -> None:
    found = conclude(world, draw_from(choose(world.held_out, 10, 0), 64, 0))
    assert found.verdict is not None
    assert found.verdict.kind == "collapsed"


def test_the_first_diagnosis_comes_after_32_samples_and_the_last_has_all(world: World) -> None:
    updates = run(world, Table(choose(world.held_out, 500, 0), base_seed=70))
    assert updates[0].num_samples == 32
    assert updates[0].duplicates is not None
    assert updates[0].modes
    counts = [update.num_samples for update in updates]
    assert counts == sorted(counts)
    assert [update.is_done for update in updates] == [False] * (len(updates) - 1) + [True]
    last = updates[-1]
    assert (last.num_samples, last.target, last.base_seed) == (500, 500, 70)
    assert last.duplicates is not None
    assert last.duplicates.num_pairs == 500 * 499 // 2
    assert last.spread is not None
    assert last.spread.num_measured == 500
    assert {row.key for row in last.spread.metrics} == {
        "precision", "recall", "density", "coverage"
    }  # fmt: skip
    assert last.copying is not None
    assert last.copying.num_samples == 500
    assert last.modes[0].num_samples == 500
    assert last.map is not None
    assert last.map.sample_seeds == tuple(range(70, 570))
    assert last.map.sample_positions.shape == (500, 4)


def test_seeds_and_indices_name_what_they_say(world: World) -> None:
    features = choose(world.held_out, 300, 0)
    features[40] = features[7]
    features[99] = world.training[123]
    last = run(world, Table(features, base_seed=1000))[-1]
    assert last.duplicates is not None
    pair = last.duplicates.closest[0]
    assert (pair.first_seed, pair.second_seed) == (1007, 1040)
    assert last.copying is not None
    nearest = last.copying.closest[0]
    assert (nearest.seed, nearest.image_index) == (1099, 123)
    assert nearest.distance < 0.3  # features of real images are kept in half precision


def test_copies_are_sought_among_the_images_that_the_reference_measured(world: World) -> None:
    """Here every other image of the data set: those searched are they, by their own numbers."""
    measured = np.arange(0, 1600, 2)
    real = measure_real_features(world.training[measured], measured, max_kept=400)
    reference = replace(world.reference, real=real)
    features = choose(world.held_out, 100, 0)
    features[5], features[6] = world.training[1234], world.training[1235]
    table = Table(features, base_seed=20)
    options = DiagnosisOptions(100, has_sensitivity=False)
    *_, last = stream_diagnosis(None, table, reference, options, world.dataset)
    assert last.copying is not None
    assert last.copying.source == "800 of 1,600 images"
    first, second = last.copying.closest[:2]
    assert (first.seed, first.image_index) == (25, 1234)
    assert first.distance < 0.3
    assert second.distance > 1  # the copy of an image that was not measured is none


def test_every_update_is_json(world: World) -> None:
    for update in run(world, Table(choose(world.held_out, 200, 0))):
        assert json.loads(json.dumps(update.to_dict(), allow_nan=False))["model"] == "table"


def test_closing_stops_the_work(world: World) -> None:
    class Counting(Table):
        asked = 0

        def get(self, start: int, count: int) -> np.ndarray:
            Counting.asked = start + count
            return np.random.default_rng(start).normal(size=(count, DIM)).astype(np.float32)

    table = Counting(np.empty((0, DIM), np.float32))
    options = DiagnosisOptions(50_000, has_sensitivity=False)
    updates = stream_diagnosis(None, table, world.reference, options)
    assert next(updates).num_samples == 32
    updates.close()  # type: ignore[attr-defined]
    assert list(updates) == []
    assert Counting.asked == 32


def test_stopping_while_the_data_set_is_looked_at_leaves_nothing_half_done(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.diagnosis.stream.SECONDS_OF_SAMPLES", 0.0)  # tell of every batch
    table, options = Table(choose(world.held_out, 100, 0)), DiagnosisOptions(100)
    updates = stream_diagnosis(None, table, world.reference, options, world.dataset)
    assert any("Looking at the real images" in update.stage for update in updates)
    updates.close()  # type: ignore[attr-defined]
    assert list((tmp_path / "cache").rglob("*.npy")) == []
    stages = [update.stage for update in run(world, table)]
    assert any("Searching 1,600 real images" in stage for stage in stages)
    (path,) = (tmp_path / "cache").rglob("*.npy")
    np.testing.assert_allclose(np.load(path), world.training, rtol=1e-5)


def test_without_permission_the_data_set_is_not_extracted(world: World, tmp_path: Path) -> None:
    options = DiagnosisOptions(100, has_sensitivity=False, extract_dataset=False)
    table = Table(choose(world.held_out, 100, 0))
    *_, last = stream_diagnosis(None, table, world.reference, options, world.dataset)
    assert last.copying is not None
    assert last.copying.source == "800 of 1,600 images"
    assert list((tmp_path / "cache").rglob("*.npy")) == []


def test_a_reference_without_labels_says_so(world: World) -> None:
    reference = replace(world.reference, modes=())
    options = DiagnosisOptions(100, has_sensitivity=False)
    table = Table(choose(world.held_out, 100, 0))
    *_, last = stream_diagnosis(None, table, reference, options)
    assert last.modes == ()
    assert last.mode_note is not None
    assert "no labels" in last.mode_note


def test_a_tiny_reference_leaves_everything_open(world: World) -> None:
    real = measure_real_features(world.training[:5], np.arange(5))
    reference = replace(world.reference, real=real)
    options = DiagnosisOptions(64, has_sensitivity=False)
    *_, last = stream_diagnosis(None, Table(world.held_out[:64]), reference, options)
    assert last.verdict is not None
    assert last.verdict.kind == "unsure"
    assert last.duplicates is None
    assert last.copying is not None
    assert "5 real images" in (last.copying.reason or "")
    assert last.spread is not None
    assert [row.key for row in last.spread.metrics] == ["precision", "recall"]
    assert last.map is not None


def test_a_model_is_moved_in_z(world: World, sampler: Sampler) -> None:
    table = Table(choose(world.held_out, 64, 0), model="conv", base_seed=5)
    options = DiagnosisOptions(64)
    updates = list(stream_diagnosis(sampler, table, world.reference, options))
    found = updates[-1].sensitivity
    assert found is not None
    assert found.base_seeds == tuple(range(5, 13))
    assert found.mean_changes == tuple(sorted(found.mean_changes))
    assert 0 < found.mean_changes[0] < found.between_samples


def test_wrong_requests_are_refused_before_any_work(world: World) -> None:
    table = Table(np.zeros((0, DIM), np.float32))
    options = DiagnosisOptions(100)

    def start(table: Table = table, options: DiagnosisOptions = options, **changes: object) -> None:
        reference = replace(world.reference, **changes)  # type: ignore[arg-type]
        stream_diagnosis(None, table, reference, options)

    with pytest.raises(MetricError, match="found 63 samples, expected 64 to 50,000"):
        start(options=DiagnosisOptions(63))
    with pytest.raises(MetricError, match="older format"):
        start(real=None)
    with pytest.raises(MetricError, match="with the extractor other, the samples would use blocks"):
        start(extractor="other")
    with pytest.raises(
        MetricError, match="SHA-256 0123abcd of blocks, the samples would use the us"
    ):
        start(details={"extractor_weights": "0123abcd"})
    with pytest.raises(ConfigError, match="out of range"):
        start(table=replace(table, base_seed=2**32 - 50))
    other = replace(world.reference, dataset=world.reference.dataset | {"fingerprint": "0"})
    with pytest.raises(MetricError, match="the images given are those of Blocks"):
        stream_diagnosis(None, table, other, options, world.dataset)
