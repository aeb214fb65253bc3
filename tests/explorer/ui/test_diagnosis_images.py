"""Pictures of a diagnosis: those of the models and images it names, and no others."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.diagnosis.on_disk import find_dataset_on_disk
from explorer.latents import sample_latents
from explorer.ui.components.diagnosis import describe_cases
from explorer.ui.diagnosing import WITHHELD, stream_cases
from explorer.ui.diagnosis_images import build_image_functions, render_images, shrink_images
from explorer.ui.tabs.diagnose import allow_real_images
from tests.explorer.ui.clinic import Clinic, build_context, replaced
from tests.explorer.ui.diagnosable import NUM_REAL
from tests.explorer.ui.live_app import EXTRACTOR, make_dataset
from training.errors import ConfigError, DatasetError, ProjectError


def decode(uri: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image)


def name_weights(clinic: Clinic, model: str = "one") -> dict[str, Any]:
    """Return how the page names the weights that it asks for pictures of."""
    return {"model": model, "checkpoint": clinic.app.library.get_fingerprint(model)}


def name_real_images(clinic: Clinic, indices: list[int]) -> None:
    """Let a diagnosis of "one" have named real images."""
    clinic.context.shown_images.add(clinic.app.library.get_fingerprint("one"), indices)


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
