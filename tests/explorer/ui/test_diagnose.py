"""Diagnoses for the page and for programs: the values, the pictures, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client  # type: ignore[import-untyped]

from explorer.diagnosis.results import DiagnosisKey, DiagnosisResults
from explorer.diagnosis.types import Diagnosis, FeatureMap
from explorer.ui.components.diagnosis import MAX_MAP_POINTS, describe_case, describe_cases
from explorer.ui.context import AppContext
from explorer.ui.diagnosing import NOT_HERE, Case, check_models, stream_cases
from explorer.ui.tabs.diagnose import stop_diagnosing
from explorer.worker import Worker
from tests.explorer.ui.clinic import Clinic, replaced
from tests.explorer.ui.live_app import EXTRACTOR, PATIENT
from training.errors import ConfigError

START = Diagnosis("one", EXTRACTOR, "Discs", 64, 1024, "64 of 1,024 samples")


def read_kind(case: Case) -> str:
    assert case.diagnosis is not None
    assert case.diagnosis.verdict is not None
    return case.diagnosis.verdict.kind


def make_map(num_samples: int, num_real: int) -> FeatureMap:
    rng = np.random.default_rng(0)
    return FeatureMap(
        axes=("Component 1", "Component 2", "Component 3", "Component 4"),
        explained_shares=(0.4, 0.2, 0.1, 0.05),
        sample_seeds=tuple(range(num_samples)),
        sample_positions=rng.normal(size=(num_samples, 4)).astype(np.float32),
        real_indices=tuple(range(0, 3 * num_real, 3)),
        real_positions=rng.normal(size=(num_real, 4)).astype(np.float32),
    )


def test_both_models_are_measured_and_each_is_judged_by_itself(clinic: Clinic) -> None:
    states = list(stream_cases(clinic.context, ["one", "stuck"], EXTRACTOR, 96))
    assert [case.diagnosis for case in states[0]] == [None, None]
    one, stuck = states[-1]
    assert one.diagnosis is not None
    assert stuck.diagnosis is not None
    assert (one.is_done, stuck.is_done) == (True, True)
    assert (one.has_real_images, stuck.has_real_images) == (True, True)
    assert stuck.diagnosis.verdict is not None
    assert (stuck.diagnosis.verdict.kind, stuck.diagnosis.verdict.level) == ("collapsed", "bad")
    assert one.diagnosis.verdict is not None
    assert one.diagnosis.verdict.kind != "collapsed"
    assert stuck.diagnosis.duplicates is not None
    assert stuck.diagnosis.duplicates.num_close == 96 * 95 // 2
    assert one.diagnosis.modes[0].name == "shade"
    json.dumps(describe_cases(states[-1], 96, {"one": "a model"}), allow_nan=False)


def test_asking_again_is_answered_from_before(clinic: Clinic) -> None:
    *_, first = stream_cases(clinic.context, ["one"], EXTRACTOR, 80)
    assert list(stream_cases(clinic.context, ["one"], EXTRACTOR, 80)) == [(Case("one"),), first]
    *_, (larger,) = stream_cases(clinic.context, ["one"], EXTRACTOR, 81)
    assert larger.diagnosis is not None
    assert larger.diagnosis.num_samples == 81


def test_a_replaced_checkpoint_is_diagnosed_anew(clinic: Clinic) -> None:
    *_, (before,) = stream_cases(clinic.context, ["one"], EXTRACTOR, 64)
    with replaced(clinic):
        *_, (after,) = stream_cases(clinic.context, ["one"], EXTRACTOR, 64)
    assert read_kind(before) != "collapsed"
    assert read_kind(after) == "collapsed"


def test_a_diagnosis_of_two_generators_is_neither_shown_nor_kept(clinic: Clinic) -> None:
    stream = stream_cases(clinic.context, ["one"], EXTRACTOR, 66)
    for (case,) in stream:
        if case.diagnosis is not None and case.diagnosis.sensitivity is not None:
            break
    with replaced(clinic):
        *_, (ended,) = stream
    assert ended.error is not None
    assert "one was replaced by another file" in ended.error
    *states, (again,) = stream_cases(clinic.context, ["one"], EXTRACTOR, 66)
    assert len(states) > 1  # not known from before
    assert again.diagnosis is not None
    assert (again.error, again.diagnosis.is_done) == (None, True)
    assert again.diagnosis.checkpoint == clinic.app.library.get_fingerprint("one")


def test_a_file_replaced_while_a_diagnosis_waits_for_its_turn_is_not_kept_as_the_old_one(
    clinic: Clinic, tmp_path: Path
) -> None:
    class BusyWorker(Worker):
        """Come to a job only after the file of "one" has been replaced."""

        def run(self, make_iterator: Any) -> Any:
            with replaced(clinic):
                yield from super().run(make_iterator)

    app = clinic.app
    worker = BusyWorker()
    context = AppContext(app.library, app.sampler, tmp_path, app.context.runs, worker=worker)
    *_, (ended,) = stream_cases(context, ["one"], EXTRACTOR, 64)
    worker.shut_down()
    assert ended.diagnosis is None
    assert "one has been written again since it was diagnosed" in str(ended.error)
    assert not context.diagnoses._kept


def test_the_diagnosis_used_longest_ago_makes_room() -> None:
    results = DiagnosisResults(max_kept=2)
    keys = [DiagnosisKey(str(row), EXTRACTOR, "discs", 64, True, False) for row in range(3)]
    older, newer = replace(START, model="older"), replace(START, model="newer")
    results.add(keys[0], older)
    results.add(keys[1], newer)
    assert results.find(keys[0]) is older
    results.add(keys[2], START)
    assert [results.find(key) is None for key in keys] == [False, True, False]


def test_a_model_without_statistics_says_so_and_the_other_goes_on(clinic: Clinic) -> None:
    *_, (stranger, one) = stream_cases(clinic.context, ["stranger", "one"], EXTRACTOR, 64)
    assert stranger.error is not None
    assert "python -m training reference" in stranger.error
    assert one.diagnosis is not None
    assert one.diagnosis.num_samples == 64


def test_closing_the_stream_ends_its_jobs(clinic: Clinic) -> None:
    stream = stream_cases(clinic.context, ["one", "stuck"], EXTRACTOR, 5000)
    for cases in stream:
        if all(case.diagnosis for case in cases):
            break
    assert clinic.context.worker.num_jobs == 2
    stream.close()  # type: ignore[attr-defined]
    assert clinic.context.worker.num_jobs == 0


def test_a_program_gets_every_state_as_json(clinic: Clinic) -> None:
    client = Client(clinic.app.url, **PATIENT)
    try:
        job = client.submit(["stuck"], 64, api_name="/diagnose")
        (last,) = job.result(timeout=600)
        outputs = job.outputs()
    finally:
        client.close()
    assert outputs[0] == [
        {
            "is_done": False,
            "model": "stuck",
            "error": None,
            "has_real_images": False,
            "real_images_note": NOT_HERE,
        }
    ]
    assert (last["is_done"], last["num_samples"], last["error"]) == (True, 64, None)
    assert last["verdict"]["kind"] == "collapsed"
    assert len(last["map"]["sample_seeds"]) == 64
    assert last["has_real_images"] is True


@pytest.mark.parametrize(
    ("names", "count", "sentence"),
    [
        ([], 64, "0 models are chosen"),
        (["one", "one"], 64, "chosen twice"),
        (["one", "two", "three"], 64, "3 models are chosen"),
        (["one"], 63, "63 samples are out of range"),
        (["one"], 50_001, "50001 samples are out of range"),
    ],
)
def test_a_wrong_choice_is_refused(
    clinic: Clinic, names: list[str], count: int, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        next(stream_cases(clinic.context, names, EXTRACTOR, count))


def test_one_or_two_models_may_be_chosen() -> None:
    assert check_models(["b", "a"]) == ["b", "a"]
    assert check_models(["a"]) == ["a"]


def test_a_map_is_thinned_with_its_names() -> None:
    found = make_map(2 * MAX_MAP_POINTS, 10)
    values = describe_case(Case("one", replace(START, map=found)))["map"]
    seeds = values["sample_seeds"]
    assert len(set(seeds)) == MAX_MAP_POINTS
    assert values["real_indices"] == list(range(0, 30, 3))
    shown = np.abs(values["sample_positions"])
    np.testing.assert_allclose(shown, np.abs(found.sample_positions[seeds]), atol=6e-4)


def test_real_images_lie_on_one_side_of_every_map() -> None:
    found = make_map(20, 10)
    shift = np.array([5, -5, 5, -5], dtype=np.float32)
    found = replace(found, real_positions=found.real_positions + shift)
    values = describe_case(Case("one", replace(START, map=found)))["map"]
    signs = [-1, 1, -1, 1]
    np.testing.assert_allclose(values["real_positions"], found.real_positions * signs, atol=6e-4)
    expected = found.sample_positions * signs
    np.testing.assert_allclose(values["sample_positions"], expected, atol=6e-4)


def test_the_status_counts_the_model_that_is_behind() -> None:
    further = replace(START, model="two", num_samples=512)
    cases = [Case("one", START), Case("two", further)]
    assert describe_cases(cases, 1024, {})["status"] == "64 of 1,024 samples of each model."
    done = [Case("one", replace(further, is_done=True)), Case("two", error="It has no statistics.")]
    value = describe_cases(done, 1024, {"one": "DCGAN"})
    assert (value["status"], value["is_done"]) == ("Done: 512 samples of each model.", True)
    assert value["cases"][0]["subtitle"] == "DCGAN"
    assert value["cases"][1]["error"] == "It has no statistics."
    assert describe_cases([Case("one")], 1024, {})["status"].startswith("Loading")


def test_stopping_keeps_what_was_measured() -> None:
    board = describe_cases([Case("one", START)], 1024, {})
    start, stop, kept = stop_diagnosing(board)
    assert (start.interactive, stop.interactive) == (True, False)
    assert kept["cases"] == board["cases"]
    assert kept["is_stopped"] is True
    assert kept["status"].startswith("Stopped")
    assert stop_diagnosing(describe_cases([Case("one")], 1024, {}))[2] == {}
    assert stop_diagnosing(None)[2] == {}
    done = describe_cases([Case("one", replace(START, is_done=True))], 1024, {})
    assert stop_diagnosing(done)[2] == done
