"""Scores of models side by side, with an extractor small enough to check by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.comparison import stream_comparison
from explorer.feature_bank import FeatureBank
from explorer.model_scoring import ComparisonUpdate
from explorer.sampler import Sampler
from explorer.score_results import ScoreResults
from tests.explorer.conftest import DATASET, SaveModel
from training.errors import ConfigError, MetricError
from training.metrics.estimator import compute_score
from training.metrics.extractors import Extractor
from training.metrics.frechet import FeatureStatistics, compute_frechet_distance
from training.metrics.reference import ReferenceStatistics, save_reference
from training.metrics.score import Score, describe_score


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


def stand_still() -> float:
    """Tell the time where everything takes none: all fits between two values."""
    return 0.0


# Where a test does not say otherwise, there is time for everything between two values.
stream = partial(stream_comparison, clock=stand_still)


def make_ticking_clock(seconds: float = 1.0) -> Callable[[], float]:
    """Return a clock by which everything takes so long: with a second nothing more ever fits."""
    return count(step=seconds).__next__


def compute_expected(
    sampler: Sampler, name: str, seeds: range, statistics: FeatureStatistics = STATISTICS
) -> float:
    """Compute the Frechet distance of a model's mean colours with NumPy's covariance."""
    features = sampler.sample_seeds(name, seeds).astype(np.float64).mean(axis=(1, 2))  # (N, C)
    features = np.broadcast_to(features, (len(seeds), 3))
    found = FeatureStatistics(features.mean(axis=0), np.cov(features, rowvar=False), len(seeds))
    return compute_frechet_distance(found, statistics)


def test_every_model_is_scored_on_the_same_seeds(ready: Sampler) -> None:
    names = ["conv", "linear", "grey"]
    updates = list(stream(FeatureBank(ready), names, EXTRACTOR, num_samples=100, base_seed=50))
    last = {update.model: update for update in updates if update.is_last}
    assert set(last) == set(names)
    for name in names:
        score = last[name].score
        assert score.value == pytest.approx(compute_expected(ready, name, range(50, 150)), rel=1e-4)
        assert (score.num_samples, score.score_name) == (100, "FD-Colours")
        assert score.reference == "avatars:toon-head"


def test_the_last_of_many_samples_comes_at_once_and_then_with_an_interval_of_its_own(
    bank: FeatureBank,
) -> None:
    results = ScoreResults()
    *_, early, last = stream(bank, ["conv"], EXTRACTOR, 700, results=results)
    assert (early.score.num_samples, early.is_last) == (700, False)
    assert (last.score.num_samples, last.is_last) == (700, True)
    assert early.score.value == pytest.approx(last.score.value, rel=1e-9)
    exact = compute_score(bank.open("conv", EXTRACTOR).get, REFERENCE, EXTRACTOR, 700)
    assert last.score.interval == pytest.approx(exact.interval, rel=1e-6)
    assert last.score.infinite_n == pytest.approx(exact.infinite_n, rel=1e-6)
    (again,) = stream(bank, ["conv"], EXTRACTOR, 700, results=results)
    assert again.score == last.score


def test_interval_and_limit_of_the_last_value_come_piece_by_piece(
    bank: FeatureBank,
) -> None:
    """With no time to spare, each piece is a turn of its own: nobody waits for all of them."""
    updates = run(bank, ["conv"], 700, ScoreResults(), make_ticking_clock())
    settling = [update for update in updates if update.score.num_samples == 700]
    # The value; map, influences, two halves and four quarters; and that nothing is left.
    assert [update.is_last for update in settling] == [False] * 9 + [True]
    assert len({update.score.value for update in settling}) == 1
    assert len({update.score.infinite_n for update in settling}) == 7
    exact = compute_score(bank.open("conv", EXTRACTOR).get, REFERENCE, EXTRACTOR, 700)
    assert_close(settling[-1].score, exact)


def test_what_is_old_between_stops_takes_every_other_turn_where_time_is_short(
    bank: FeatureBank,
) -> None:
    """Pieces, samples and a value in one turn would be late: samples come in all the same."""
    updates = run(bank, ["conv"], 900, ScoreResults(), make_ticking_clock())
    counts = [update.score.num_samples for update in updates]
    between = [count for count in counts if 512 < count < 900]
    assert counts == sorted(counts)
    assert set(between) == set(range(528, 900, 16))
    repeated = [count for count in set(between) if between.count(count) > 1]
    assert min(repeated) == 672  # the first of them that is 1.3 times 512
    # The interval's first half changes nothing yet: its second half comes next, not samples.
    assert max(between.count(count) for count in repeated) == 3
    scores = [update.score for update in updates if 512 < update.score.num_samples < 900]
    assert not any(a == b == c for a, b, c in zip(scores, scores[1:], scores[2:], strict=False))


def test_a_milestone_without_interval_of_its_own_is_not_kept(
    bank: FeatureBank,
) -> None:
    results = ScoreResults()
    updates = stream(bank, ["conv"], EXTRACTOR, 200, results=results, clock=make_ticking_clock())
    assert next(update for update in updates if update.score.num_samples == 128)
    updates.close()  # type: ignore[attr-defined]
    again = run(bank, ["conv"], 128, results)
    assert again[0].score.num_samples < 128
    exact = compute_score(bank.open("conv", EXTRACTOR).get, REFERENCE, EXTRACTOR, 128)
    assert_close(again[-1].score, exact)


def test_models_take_turns(ready: Sampler) -> None:
    clock = make_ticking_clock(1e-4)
    updates = run(FeatureBank(ready), ["linear", "conv"], 200, ScoreResults(), clock)
    assert [update.model for update in updates[:2]] == ["linear", "conv"]
    assert [update.score.num_samples for update in updates[:2]] == [16, 16]
    assert sum(update.is_last for update in updates) == 2
    for name in ("linear", "conv"):
        own = [update for update in updates if update.model == name]
        counts = [update.score.num_samples for update in own]
        assert counts == sorted(set(counts))
        assert counts[-1] == 200
        assert own[0].seconds < own[-1].seconds


def test_closing_stops_the_work(ready: Sampler) -> None:
    updates = stream(FeatureBank(ready), ["conv", "linear"], EXTRACTOR, num_samples=50_000)
    assert next(updates).score.num_samples == 16
    updates.close()  # type: ignore[attr-defined]
    assert list(updates) == []


def test_a_missing_reference_is_reported_before_any_work(sampler: Sampler) -> None:
    with pytest.raises(MetricError) as caught:
        stream(FeatureBank(sampler), ["conv"], EXTRACTOR, num_samples=100)
    assert "conv learned avatars:toon-head at 32 px" in str(caught.value)
    command = "reference --data avatars:toon-head --resolution 32 --channels 3 --extractor colours"
    assert f"python -m training {command}" in str(caught.value)


def test_a_given_reference_is_used_for_all(sampler: Sampler) -> None:
    common = replace(REFERENCE, dataset=DATASET | {"name": "common", "fingerprint": "other"})
    updates = stream(FeatureBank(sampler), ["conv"], EXTRACTOR, num_samples=64, reference=common)
    assert {update.score.reference for update in updates} == {"common"}


def test_a_reference_of_another_resolution_is_refused(sampler: Sampler) -> None:
    common = replace(REFERENCE, dataset=DATASET | {"resolution": 64})
    with pytest.raises(MetricError, match=r"makes images of 32 px, but .* is of 64 px"):
        stream(FeatureBank(sampler), ["conv"], EXTRACTOR, num_samples=64, reference=common)


def test_wrong_requests_are_refused(ready: Sampler) -> None:
    with pytest.raises(MetricError, match="No models"):
        stream(FeatureBank(ready), [], EXTRACTOR)
    with pytest.raises(MetricError, match="16 to 50000"):
        stream(FeatureBank(ready), ["conv"], EXTRACTOR, num_samples=1)
    with pytest.raises(ConfigError, match="out of range"):
        stream(FeatureBank(ready), ["conv"], EXTRACTOR, num_samples=100, base_seed=2**32 - 50)


def test_models_of_one_weight_score_the_same(ready: Sampler, save_model: SaveModel) -> None:
    save_model(ready.library.folder, "twin", "conv")
    ready.library.rescan()
    updates = stream(FeatureBank(ready), ["conv", "twin"], EXTRACTOR, num_samples=64)
    last = {update.model: update.score for update in updates if update.is_last}
    assert last["conv"] == last["twin"]


def run(
    bank: FeatureBank,
    names: list[str],
    num_samples: int,
    results: ScoreResults,
    clock: Callable[[], float] = stand_still,
) -> list[ComparisonUpdate]:
    return list(stream(bank, names, EXTRACTOR, num_samples, results=results, clock=clock))


def get_last(updates: list[ComparisonUpdate], name: str) -> Score:
    (score,) = [update.score for update in updates if update.model == name and update.is_last]
    return score


def assert_close(found: Score, expected: Score) -> None:
    """Compare two scores field by field, numbers up to float64 rounding."""
    one, other = describe_score(found), describe_score(expected)
    assert one.pop("interval") == pytest.approx(other.pop("interval"))
    assert one.pop("infinite_n_interval") == pytest.approx(other.pop("infinite_n_interval"))
    assert one == pytest.approx(other)


def test_a_score_has_its_interval_and_limit(bank: FeatureBank) -> None:
    score = get_last(run(bank, ["conv"], 300, ScoreResults()), "conv")
    assert 0 < score.interval[0] < score.value < score.interval[1]
    assert score.infinite_n < score.value
    assert score.infinite_n_interval[0] < score.infinite_n < score.infinite_n_interval[1]


def test_asking_again_is_answered_by_what_is_known(ready: Sampler) -> None:
    results = ScoreResults()
    first = run(FeatureBank(ready), ["conv", "linear"], 200, results)
    bank = FeatureBank(ready)
    again = run(bank, ["conv", "linear"], 200, results)
    assert [update.model for update in again] == ["conv", "linear"]
    assert all(update.is_known and update.is_last and not update.seconds for update in again)
    assert bank.num_bytes == 0
    for update in again:
        assert update.score == get_last(first, update.model)
        shown = [one.score for one in first if one.model == update.model]
        assert (*update.earlier, update.score) == tuple(shown)


def test_fewer_samples_are_known_from_the_way_to_more(ready: Sampler) -> None:
    results = ScoreResults()
    run(FeatureBank(ready), ["conv"], 200, results)
    (update,) = run(FeatureBank(ready), ["conv"], 128, results)
    assert (update.is_known, update.score.num_samples) == (True, 128)
    fresh = run(FeatureBank(ready), ["conv"], 128, ScoreResults())
    assert_close(update.score, get_last(fresh, "conv"))


def test_a_point_on_the_way_is_measured_anew_where_it_is_asked_for(
    ready: Sampler, tmp_path: Path
) -> None:
    """Between milestones intervals may be scaled from fewer samples."""
    folder = tmp_path / "scores"
    fresh = get_last(run(FeatureBank(ready), ["conv"], 100, ScoreResults(folder)), "conv")
    (path,) = folder.iterdir()
    values = json.loads(path.read_text())
    values["asked"].remove(100)
    values["points"][-1]["interval"] = [0.0, 1e6]  # as if it were of another number
    path.write_text(json.dumps(values))
    results = ScoreResults(folder)
    assert_close(get_last(run(FeatureBank(ready), ["conv"], 100, results), "conv"), fresh)
    (again,) = run(FeatureBank(ready), ["conv"], 100, results)
    assert again.is_known
    assert_close(again.score, fresh)


def test_more_samples_go_on_where_the_last_ones_ended(ready: Sampler) -> None:
    results = ScoreResults()
    run(FeatureBank(ready), ["conv"], 100, results)
    bank = FeatureBank(ready)
    updates = run(bank, ["conv"], 200, results)
    assert [update.score.num_samples for update in updates[:2]] == [100, 128]
    assert (updates[0].is_known, updates[0].num_done, updates[1].num_done) == (True, 100, 128)
    assert bank.open("conv", EXTRACTOR).num_ready == 0  # the first 96 were not needed again
    fresh = run(FeatureBank(ready), ["conv"], 200, ScoreResults())
    assert_close(get_last(updates, "conv"), get_last(fresh, "conv"))


def test_after_a_restart_known_values_come_first(ready: Sampler, tmp_path: Path) -> None:
    first = run(FeatureBank(ready), ["conv"], 100, ScoreResults(tmp_path / "scores"))
    updates = run(FeatureBank(ready), ["conv"], 200, ScoreResults(tmp_path / "scores"))
    assert updates[0].score == get_last(first, "conv")
    assert (updates[0].is_known, updates[0].num_done) == (True, 0)
    fresh = run(FeatureBank(ready), ["conv"], 200, ScoreResults())
    assert_close(get_last(updates, "conv"), get_last(fresh, "conv"))


def test_a_stopped_comparison_goes_on_later(ready: Sampler) -> None:
    results, bank = ScoreResults(), FeatureBank(ready)
    updates = stream(bank, ["conv"], EXTRACTOR, 200, results=results)
    assert next(updates).score.num_samples == 16
    updates.close()  # type: ignore[attr-defined]
    again = run(FeatureBank(ready), ["conv"], 200, results)
    assert [update.score.num_samples for update in again[:2]] == [16, 32]
    assert (again[0].is_known, again[0].num_done) == (True, 16)
    fresh = run(FeatureBank(ready), ["conv"], 200, ScoreResults())
    assert_close(get_last(again, "conv"), get_last(fresh, "conv"))


def test_another_reference_is_another_score(ready: Sampler) -> None:
    results, bank = ScoreResults(), FeatureBank(ready)
    run(bank, ["conv"], 64, results)
    moved = FeatureStatistics(STATISTICS.mean + 10, STATISTICS.covariance, 1000)
    other = replace(REFERENCE, statistics=moved)
    updates = list(stream(bank, ["conv"], EXTRACTOR, 64, reference=other, results=results))
    assert not any(update.is_known for update in updates)


def test_a_second_comparison_computes_no_features_again(ready: Sampler) -> None:
    bank = FeatureBank(ready)
    names = ["conv"]
    first = stream(bank, names, EXTRACTOR, 96)
    second = stream(bank, names, EXTRACTOR, 96)
    values = [[next(stream).score for stream in (first, second)] for _ in range(2)]
    assert all(one == other for one, other in values)
    assert bank.num_bytes == bank.open("conv", EXTRACTOR).num_ready * 3 * 4
