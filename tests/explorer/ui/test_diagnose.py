"""Diagnoses for the page and for programs: the values, the pictures, what is refused."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gradio_client import Client  # type: ignore[import-untyped]
from PIL import Image

from explorer.diagnosis.on_disk import find_dataset_on_disk
from explorer.diagnosis.results import DiagnosisKey, DiagnosisResults
from explorer.diagnosis.types import Diagnosis, FeatureMap
from explorer.latents import sample_latents
from explorer.ui.components.diagnosis import MAX_MAP_POINTS, describe_case, describe_cases
from explorer.ui.context import AppContext
from explorer.ui.diagnosing import NOT_HERE, WITHHELD, Case, check_models, stream_cases
from explorer.ui.diagnosis_images import build_image_functions, render_images, shrink_images
from explorer.ui.tabs.diagnose import allow_real_images, stop_diagnosing
from explorer.worker import Worker
from tests.explorer.ui.diagnosable import NUM_REAL, make_labelled_dataset
from tests.explorer.ui.live_app import EXTRACTOR, LiveApp, make_dataset, serve
from training.datasets.types import ImageDataset
from training.errors import ConfigError, DatasetError, ProjectError

START = Diagnosis("one", EXTRACTOR, "Discs", 64, 1024, "64 of 1,024 samples")


@dataclass(frozen=True)
class Clinic:
    """Hold a served app whose models can be diagnosed, and their data set."""

    app: LiveApp
    dataset: ImageDataset

    @property
    def context(self) -> AppContext:
        """Return what the app computes with."""
        return self.app.context


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, diagnosable: Path) -> Iterator[Clinic]:
    root = shutil.copytree(diagnosable, tmp_path_factory.mktemp("clinic") / "root")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        with serve(root / "models", root / "exports") as app:
            yield Clinic(app, make_labelled_dataset())


def decode(uri: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image)


def name_weights(clinic: Clinic, model: str = "one") -> dict[str, Any]:
    """Return how the page names the weights that it asks for pictures of."""
    return {"model": model, "checkpoint": clinic.app.library.get_fingerprint(model)}


def name_real_images(clinic: Clinic, indices: list[int]) -> None:
    """Let a diagnosis of "one" have named real images."""
    clinic.context.shown_images.add(clinic.app.library.get_fingerprint("one"), indices)


@contextmanager
def replaced(clinic: Clinic) -> Iterator[None]:
    """Let the file of "one" hold the weights of "stuck" for a while."""
    path = clinic.app.library.get("one").path
    original = path.read_bytes()
    path.write_bytes(clinic.app.library.get("stuck").path.read_bytes())
    try:
        yield
    finally:
        path.write_bytes(original)


def build_context(clinic: Clinic, sends_real_images: bool = True) -> AppContext:
    """Build a context of its own over the clinic's models, which has shown nothing yet."""
    given = clinic.context
    context = AppContext(
        given.library, given.sampler, given.exports, given.runs, given.scores, sends_real_images,
        worker=given.worker,
    )  # fmt: skip
    context.bank = given.bank  # the extractor is loaded there
    return context


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


def test_no_picture_of_other_weights_stands_beside_a_verdict(clinic: Clinic) -> None:
    walk = {"base_seed": 4, "direction_seed": 9, "steps": [1]}
    diagnosed = name_weights(clinic)
    for fetch in build_image_functions(clinic.context):
        for asked in ({"seeds": [1]}, {"indices": [0]}, walk):
            name_real_images(clinic, [0])
            assert "error" not in fetch({**diagnosed, **asked})
            with replaced(clinic):
                name_real_images(clinic, [0])
                answer = fetch({**diagnosed, **asked})
                assert "one has been written again since it was diagnosed" in answer["error"]
                assert "error" not in fetch({**name_weights(clinic), **asked})
            assert "error" in fetch({"model": "one", **asked})


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
    client = Client(clinic.app.url, verbose=False)
    try:
        job = client.submit(["stuck"], 64, api_name="/diagnose")
        (last,) = job.result(timeout=240)
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


def test_pictures_of_seeds_are_the_samplers(clinic: Clinic) -> None:
    fetch_images, _ = build_image_functions(clinic.context)
    frames = fetch_images({**name_weights(clinic), "seeds": [7, 3]})["frames"]
    expected = clinic.app.sampler.sample_seeds("one", [7, 3])
    np.testing.assert_array_equal(np.stack([decode(frame) for frame in frames]), expected)


def test_pictures_of_indices_are_the_data_sets(clinic: Clinic) -> None:
    """Real images come as the data set holds them, pixel by pixel."""
    name_real_images(clinic, [0, NUM_REAL - 1])
    fetch_images, _ = build_image_functions(clinic.context)
    frames = fetch_images({**name_weights(clinic), "indices": [0, NUM_REAL - 1]})["frames"]
    expected = clinic.dataset.images[[0, NUM_REAL - 1]].transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(np.stack([decode(frame) for frame in frames]), expected)


def test_only_real_images_that_the_board_names_are_sent(clinic: Clinic) -> None:
    """All images of the map and the nearest pairs can be fetched, and none that is not there."""
    context = build_context(clinic)
    *_, cases = stream_cases(context, ["one"], EXTRACTOR, 96)
    board = describe_cases(cases, 96, {})
    (case,) = board["cases"]
    named = {item["image_index"] for item in case["copying"]["closest"]}
    named |= set(case["map"]["real_indices"])
    asked = {**name_weights(clinic), "indices": sorted(named)[:64]}
    with pytest.raises(ConfigError, match="No diagnosis has shown real image"):
        render_images(context, asked)
    allow_real_images(context, board)
    assert len(render_images(context, asked)) == min(64, len(named))
    other = min(set(range(NUM_REAL + 1)) - named)
    with pytest.raises(ConfigError, match=f"real image {other}|whole numbers from 0 to"):
        render_images(context, {**asked, "indices": [other]})


def test_real_images_stay_where_others_reach_the_page(clinic: Clinic) -> None:
    """Copies are sought all the same; the page is told in a sentence that no image comes."""
    context = build_context(clinic, sends_real_images=False)
    *_, cases = stream_cases(context, ["one"], EXTRACTOR, 64)
    (case,) = describe_cases(cases, 64, {})["cases"]
    assert case["copying"]["reason"] is None
    assert (case["has_real_images"], case["real_images_note"]) == (False, WITHHELD)
    context.shown_images.add(case["checkpoint"], [0])
    fetch_images, _ = build_image_functions(context)
    assert fetch_images({**name_weights(clinic), "indices": [0]}) == {"error": f"one: {WITHHELD}"}


def test_a_step_of_a_direction_is_that_far_from_its_base(clinic: Clinic) -> None:
    request = {"base_seed": 4, "direction_seed": 9, "steps": [-2, 0, 2.5]}
    images = render_images(clinic.context, {**name_weights(clinic), **request})
    base, direction = sample_latents([4, 9], 16)
    unit = direction / direction.norm()
    latents = torch.stack([base - 2 * unit, base, base + 2.5 * unit])
    np.testing.assert_array_equal(images, clinic.app.sampler.sample_images("one", latents))


def test_thumbnails_come_as_one_sprite(clinic: Clinic) -> None:
    _, fetch_thumbnails = build_image_functions(clinic.context)
    answer = fetch_thumbnails({**name_weights(clinic), "seeds": list(range(10))})
    assert (answer["size"], answer["columns"]) == ([32, 32], 8)
    sprite = decode(answer["sprite"])
    assert sprite.shape == (64, 256, 3)
    ninth = clinic.app.sampler.sample_seeds("one", [9])[0].astype(int)
    assert np.abs(sprite[32:64, 32:64] - ninth).mean() < 8


def test_large_images_are_shrunk_and_small_ones_left() -> None:
    images = np.zeros((2, 96, 96, 1), np.uint8)
    images[:, :, 48:] = 200
    small = shrink_images(images, 48)
    assert small.shape == (2, 48, 48, 1)
    assert (small[0, 0, 0, 0], small[1, -1, -1, 0]) == (0, 200)
    assert shrink_images(small, 48) is small


@pytest.mark.parametrize(
    "request_",
    [
        {"model": "one", "seeds": []},
        {"model": "one", "seeds": list(range(65))},
        {"model": "one", "seeds": [-1]},
        {"model": "one", "seeds": [2**32]},
        {"model": "one", "seeds": [True]},
        {"model": "one", "seeds": "0-9"},
        {"model": "one", "indices": [NUM_REAL]},
        {"model": "one", "base_seed": 0, "direction_seed": 1, "steps": [1e9]},
        {"model": "one", "base_seed": None, "direction_seed": 1, "steps": [1]},
        {"model": "../one", "seeds": [0]},
        {"seeds": [0]},
        ["one"],
    ],
)
def test_an_odd_request_for_pictures_is_refused(clinic: Clinic, request_: Any) -> None:
    if isinstance(request_, dict) and request_.get("model") == "one":
        request_ = {**name_weights(clinic), **request_}
    with pytest.raises(ProjectError):
        render_images(clinic.context, request_)
    fetch_images, fetch_thumbnails = build_image_functions(clinic.context)
    assert "error" in fetch_images(request_)
    assert "error" in fetch_thumbnails(request_)


def test_images_that_are_not_here_cannot_be_shown(clinic: Clinic) -> None:
    with pytest.raises(DatasetError, match="not on this machine"):
        render_images(clinic.context, {**name_weights(clinic, "stranger"), "indices": [0]})


def test_a_data_set_is_found_by_its_pixels_only(clinic: Clinic, tmp_path: Path) -> None:
    found = find_dataset_on_disk(clinic.dataset.describe())
    assert found is not None
    np.testing.assert_array_equal(found.images, clinic.dataset.images)
    assert find_dataset_on_disk(make_dataset(2).describe()) is None
    assert find_dataset_on_disk({}) is None
    assert find_dataset_on_disk(clinic.dataset.describe(), tmp_path) is None


def test_changed_pixels_are_not_taken_for_the_data_set(clinic: Clinic, tmp_path: Path) -> None:
    folder = tmp_path / "datasets"
    folder.mkdir()
    images = clinic.dataset.images.copy()
    sidecar = {"fingerprint": clinic.dataset.fingerprint, "shape": list(images.shape)}
    (folder / "discs.json").write_text(json.dumps(sidecar))
    np.save(folder / "discs.npy", images)
    assert find_dataset_on_disk(clinic.dataset.describe(), tmp_path) is not None
    images[0, 0, 0, 0] ^= 1
    np.save(folder / "discs.npy", images)
    os.utime(folder / "discs.npy", (1, 1))
    assert find_dataset_on_disk(clinic.dataset.describe(), tmp_path) is None


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
