"""The public endpoints, called from another program over HTTP."""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio.route_utils import delete_files_created_by_app
from gradio_client import Client  # type: ignore[import-untyped]
from gradio_client.exceptions import AppError  # type: ignore[import-untyped]
from PIL import Image, ImageSequence

from explorer.images import make_grid
from explorer.latents import interpolate_lerp, sample_latents
from explorer.recipe import read_recipe
from explorer.replay import replay_recipe
from tests.explorer.ui.live_app import EXTRACTOR, TERMS, LiveApp, save_small_checkpoint

ENDPOINTS = {
    "/sample", "/compare", "/score", "/diagnose", "/interpolate_frame", "/export_morph",
    "/list_models", "/rescan",
}  # fmt: skip


def read_pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_exactly_these_endpoints_are_public(client: Client) -> None:
    found: Any = client.view_api(return_format="dict", print_info=False)
    assert set(found["named_endpoints"]) == ENDPOINTS
    assert found["unnamed_endpoints"] == {}


def test_programs_are_told_that_a_gif_is_a_file(client: Client) -> None:
    endpoints: Any = client.view_api(return_format="dict", print_info=False)
    (returned,) = endpoints["named_endpoints"]["/export_morph"]["returns"]
    assert returned["python_type"]["type"] == "filepath"


def test_no_event_of_the_page_can_be_called_by_a_client(live: LiveApp) -> None:
    config: Any = live.demo.get_config_file()
    visible = {
        dependency["api_name"]
        for dependency in config["dependencies"]
        if dependency["api_visibility"] != "private"
    }
    assert {f"/{name}" for name in visible} == ENDPOINTS


def test_sample_gives_the_pixels_of_the_sampler(client: Client, live: LiveApp) -> None:
    path = client.predict("one", "3, 10-12", 0.7, 2, api_name="/sample")
    images = live.sampler.sample_seeds("one", [3, 10, 11, 12], 0.7)
    np.testing.assert_array_equal(read_pixels(path), make_grid(images, 2))


def test_a_sampled_file_can_be_made_again_from_its_recipe(client: Client, live: LiveApp) -> None:
    path = client.predict("two", "5", 1.0, 1, 64, api_name="/sample")
    recipe = read_recipe(Path(path))
    assert recipe.seeds == (5,)
    np.testing.assert_array_equal(read_pixels(path), replay_recipe(recipe, live.sampler)[0])


def test_compare_gives_one_grid_per_model_in_order(client: Client, live: LiveApp) -> None:
    files = client.predict(["three", "one"], "0-3", 1.0, 4, api_name="/compare")
    assert len(files) == 2
    for file, name in zip(files, ["three", "one"], strict=True):
        images = live.sampler.sample_seeds(name, range(4))
        np.testing.assert_array_equal(read_pixels(file), make_grid(images, 4))


def test_a_frame_is_the_image_at_t(client: Client, live: LiveApp) -> None:
    path = client.predict("one", 4, 9, 0.25, "lerp", api_name="/interpolate_frame")
    a, b = sample_latents([4, 9], 16)
    expected = live.sampler.sample_images("one", interpolate_lerp(a, b, 0.25)[None])
    np.testing.assert_array_equal(read_pixels(path), expected[0])
    assert Path(path).name == "one-4-to-9-at-0.250.png"
    recipe = read_recipe(Path(path))
    assert (recipe.kind, recipe.seeds, recipe.t) == ("frame", (4, 9), 0.25)


def test_a_way_goes_through_seeds(client: Client, live: LiveApp) -> None:
    path = client.predict("one", 4, 9, 0.5, through="7", api_name="/interpolate_frame")
    np.testing.assert_array_equal(read_pixels(path), live.sampler.sample_seeds("one", [7])[0])
    path = client.predict(
        "one", 4, 9, num_frames=5, size=0, through="7, 1-2", api_name="/export_morph"
    )
    recipe = read_recipe(Path(path))
    assert (recipe.seeds, recipe.num_frames) == ((4, 7, 1, 2, 9), 5)


def test_an_exported_gif_has_the_frames_and_the_recipe(client: Client) -> None:
    path = client.predict("one", 1, 2, 5, 20, 48, "nearest", True, api_name="/export_morph")
    with Image.open(path) as image:
        assert (image.size, getattr(image, "n_frames", 1)) == ((48, 48), 8)
        assert image.info["loop"] == 0
        delays = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
    assert delays == [300, 50, 50, 50, 300, 50, 50, 50]  # both ends are held
    recipe = read_recipe(Path(path))
    assert (recipe.seeds, recipe.num_frames, recipe.is_ping_pong) == ((1, 2), 5, True)
    assert recipe.hold == 0.3


@pytest.mark.parametrize("name", ["webp", "mp4", "apng", "zip"])
def test_a_morph_comes_in_the_format_asked_for(client: Client, name: str) -> None:
    options: dict[str, Any] = {"size": 0, "format": name, "pace": "steady"}
    path = Path(client.predict("one", 1, 2, 3, **options, api_name="/export_morph"))
    assert path.name == f"one-1-to-2.{name}"
    assert (read_recipe(path).seeds, read_recipe(path).pace) == ((1, 2), "steady")


def test_an_export_that_is_cancelled_leaves_no_file_and_the_next_one_starts(
    client: Client, live: LiveApp
) -> None:
    before = set(live.exports.iterdir())
    job = client.submit("one", 1, 2, 600, 25, 512, "lanczos", False, api_name="/export_morph")
    for _ in job:  # the first value comes when it has begun
        break
    job.cancel()
    client.predict("one", 1, 2, 3, 25, 64, "lanczos", False, api_name="/export_morph")
    made = set(live.exports.iterdir()) - before
    assert [path.name for folder in made for path in folder.iterdir()] == ["one-1-to-2.gif"]
    assert len(made) == 1


@pytest.mark.parametrize(
    ("endpoint", "arguments"),
    [("/export_morph", ["one", 1, 2, 3]), ("/score", [["one"], 16]), ("/diagnose", [["one"], 64])],
)
def test_a_job_that_waits_for_others_can_be_cancelled(
    client: Client, live: LiveApp, endpoint: str, arguments: list[Any]
) -> None:
    turns = live.context.exporting if endpoint == "/export_morph" else live.context.scoring
    with ExitStack() as others:
        for _ in range(turns.num_at_once):
            others.enter_context(turns.join())
        job = client.submit(*arguments, api_name=endpoint)
        for _ in job:  # the first value says that it waits
            break
        with turns.join() as behind:
            assert next(behind.wait()) == 2
            job.cancel()
            assert 1 in islice(behind.wait(), 1200)  # a value at least every half second


def test_a_program_without_the_client_gets_the_file_at_the_end(live: LiveApp) -> None:
    data = ["one", 1, 2, 3, 25, 64, "lanczos", False, "slerp", 1.0, "", "", "", 0.3, ""]
    data += ["gif", "even"]
    call = f"{live.url}gradio_api/call/export_morph"
    event = httpx.post(call, json={"data": data}, timeout=300).json()["event_id"]
    lines = httpx.get(f"{call}/{event}", timeout=300).text.splitlines()
    values = [
        json.loads(line.removeprefix("data: "))
        for line in lines
        if line.startswith("data: ") and "path" in line
    ]
    assert values
    assert lines[lines.index("event: complete") + 1]
    url = values[-1][0]["url"]
    # What Gradio does with the copies it serves, once they are an hour old.
    delete_files_created_by_app(live.demo, age=None)
    assert httpx.get(url).content[:6] == b"GIF89a"


def test_scores_stream_with_all_that_is_needed_to_judge_them(client: Client) -> None:
    job = client.submit(["one", "two"], 16, api_name="/score")
    last = job.result(timeout=300)
    assert len(job.outputs()) >= 3  # before the first score, after each of the two
    assert [row["model"] for row in last] == ["one", "two"]
    for row in last:
        assert row["score_name"] == "FD-EfficientNet-Lite0"
        assert (row["extractor"], row["reference"]) == (EXTRACTOR, "Discs")
        assert row["num_samples"] == 16
        assert row["value"] > row["noise_floor"] > 0
        assert row["is_noise_floor_measured"] is False
        low, high = row["interval"]
        assert low < row["value"] < high
        assert row["infinite_n_interval"][0] < row["infinite_n"] < row["infinite_n_interval"][1]


def test_a_score_asked_for_again_is_the_same(client: Client) -> None:
    first = client.predict(["two", "one"], 16, api_name="/score")
    assert client.predict(["two", "one"], 16, api_name="/score") == first


def test_models_are_listed_with_facts_and_damaged_ones_with_the_reason(client: Client) -> None:
    cards = {card["name"]: card for card in client.predict(api_name="/list_models")}
    assert {"one", "two", "three", "damaged"} <= set(cards)
    assert cards["one"]["subtitle"] == "DCGAN, 32 × 32, Discs"
    assert ["Images seen", "64,000"] in cards["one"]["facts"]
    assert ["Terms of the data", TERMS] in cards["one"]["facts"]
    assert "damaged.safetensors is not a whole safetensors file" in cards["damaged"]["error"]


def test_rescan_finds_new_files_and_missing_ones(client: Client, live: LiveApp) -> None:
    path = save_small_checkpoint(live.library.folder, "late", "sgan", 8)
    assert client.predict(api_name="/rescan")["added"] == ["late"]
    assert client.predict("late", "0", api_name="/sample")
    path.unlink()
    assert client.predict(api_name="/rescan")["removed"] == ["late"]


@pytest.mark.parametrize(
    ("endpoint", "arguments", "sentence"),
    [
        ("/sample", ["nobody", "0"], "There is no model 'nobody'"),
        ("/sample", ["one", "abc"], "'abc' is not a number or range"),
        ("/sample", ["one", "4294967296"], "4294967296"),
        ("/sample", ["one", "0", 1.5], "Truncation 1.5 is out of range"),
        ("/sample", ["one", "0", 1.0, 0], "0 columns are out of range"),
        ("/compare", [["one", "one"]], "same model is chosen twice"),
        ("/compare", [["one"]], "choose 2 to 4"),
        ("/interpolate_frame", ["one", 0, 1, 1.5], "Position 1.5 is out of range: choose 0"),
        ("/interpolate_frame", ["one", 0, 1, 0.5, "walk"], "Unknown interpolation 'walk'"),
        ("/interpolate_frame", ["one", 0.5, 1], "seed_a is 0.5: give a whole number"),
        ("/export_morph", ["one", 0, 1, 1], "1 frames are out of range"),
        (
            "/interpolate_frame",
            ["one", 0, 1, 0.5, "slerp", 1, "", "", "", "5;"],
            "'5;' is not a number",
        ),
        (
            "/export_morph",
            ["one", 0, 1, 9, 9, 0, "nearest", True, "slerp", 1, "", "", "", 0, "", "avi"],
            "Unknown format 'avi': choose one of gif, webp, mp4, apng, zip",
        ),
        (
            "/export_morph",
            ["one", 0, 1, 9, 9, 33, "nearest", True, "slerp", 1, "", "", "", 0, "", "mp4"],
            "found 33 x 33: choose a size of 34",
        ),
        ("/export_morph", ["one", 0, 1, 10, 90], "90.0 frames per second are out of range"),
        ("/score", [["one"], 1], "1 samples are out of range"),
        ("/score", [[], 64], "No models were chosen"),
        ("/score", [["one"], 64, "vgg"], "vgg"),
        ("/sample", [["one"], "0"], "model is ['one']: give a text"),
        ("/sample", ["one", 5], "seeds is 5: give a text"),
        ("/sample", ["one", "0", "0.5"], "truncation is '0.5': give a number"),
        ("/sample", ["one", "0", 10**400], "give a number"),
        ("/sample", ["one", "0", 1.0, 4, 0, {"digit": 3}], "labels is {'digit': 3}: give a text"),
        ("/compare", ["one"], "models is 'one': give a list of texts"),
        ("/score", [["one"], 24.5], "num_samples is 24.5: give a whole number"),
        ("/diagnose", [["one"], True], "num_samples is True: give a whole number"),
        ("/diagnose", [["one"], 64, "tiny", 1], "search_all is 1: give true or false"),
    ],
)
def test_bad_input_is_answered_by_one_clear_sentence(
    client: Client, endpoint: str, arguments: list[Any], sentence: str
) -> None:
    with pytest.raises(AppError) as raised:
        client.predict(*arguments, api_name=endpoint)
    assert sentence in str(raised.value)
    assert "Traceback" not in str(raised.value)
