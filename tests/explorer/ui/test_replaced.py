"""A training replaces a checkpoint while the page shows something of it: nothing is mixed."""

from __future__ import annotations

import base64
import io
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from explorer.images import make_grid
from explorer.recipe import read_recipe
from explorer.replay import replay_recipe
from explorer.runs import RunLibrary
from explorer.sampler import Sampler
from explorer.ui.context import AppContext
from explorer.ui.replaced import SCORE_AGAIN, build_replaced_finder
from explorer.ui.stills import build_frame_renderer, build_still_saver
from explorer.ui.tabs.models import build_layer_describer, build_previewer
from explorer.ui.tabs.sample import CHOSEN_IMAGE, WHOLE_SHEET, build_drawer, build_saver
from tests.explorer.conftest import SaveModel
from tests.explorer.labelled import LAYOUT
from training.checkpoint import load_generator, save_generator
from training.models import ModelConfig, build_generator

SENTENCE = "conv has been written again since this was drawn: press Rescan on the Models tab"
MORPH = {"model": "conv", "seeds": [3, 4], "labels": [], "method": "slerp", "truncation": 1.0}


@pytest.fixture
def context(sampler: Sampler, tmp_path: Path) -> AppContext:
    return AppContext(sampler.library, sampler, tmp_path / "exports", RunLibrary(tmp_path))


def replace_model(context: AppContext, save_model: SaveModel, is_trained: bool = False) -> None:
    """Write conv with other weights, as a running training does, without a rescan."""
    path = save_model(context.library.folder, "conv", seed=1)
    if is_trained:
        generator, header = load_generator(path)
        save_generator(path, generator, replace(header, training={"steps": 200}))
    os.utime(path, ns=(1, 1))


def draw_sheet(context: AppContext) -> dict[str, Any]:
    sheet: dict[str, Any] = build_drawer(context)("conv", 5, 4, 1.0, None, "", False)
    return sheet


def choose(sheet: dict[str, Any], index: int = 0) -> dict[str, Any]:
    """Return what the page has of a sheet on which a frame is chosen."""
    frame = sheet["frames"][index]
    return {**frame, **{key: sheet[key] for key in ("model", "checkpoint", "truncation")}}


def save(context: AppContext, shown: dict[str, Any] | None, what: str = WHOLE_SHEET) -> Path:
    options = ["conv", 5, 4, 1.0, None, "", what, "As the model made it", "nearest"]
    return Path(build_saver(context)(shown, *options))


def read_pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def decode(uri: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image)


def test_the_png_is_the_sheet_or_one_sentence(context: AppContext, save_model: SaveModel) -> None:
    sheet = draw_sheet(context)
    path = save(context, choose(sheet))
    drawn = np.stack([decode(frame["src"]) for frame in sheet["frames"]])
    np.testing.assert_array_equal(read_pixels(path), make_grid(drawn, 2))
    replace_model(context, save_model)
    for what in (WHOLE_SHEET, CHOSEN_IMAGE):
        with pytest.raises(gr.Error, match=SENTENCE):
            save(context, choose(sheet), what)

    newer = draw_sheet(context)  # what a user wants of a training: no rescan is needed
    assert newer["checkpoint"] == context.library.get_fingerprint("conv") != sheet["checkpoint"]
    path = save(context, choose(newer))
    drawn = np.stack([decode(frame["src"]) for frame in newer["frames"]])
    np.testing.assert_array_equal(read_pixels(path), make_grid(drawn, 2))
    recipe = read_recipe(path)
    assert recipe.checkpoint == newer["checkpoint"]
    np.testing.assert_array_equal(read_pixels(path), replay_recipe(recipe, context.sampler)[0])


def test_the_chosen_image_is_the_one_that_the_page_names(context: AppContext) -> None:
    sheet = draw_sheet(context)
    recipe = read_recipe(save(context, choose(sheet, 2), CHOSEN_IMAGE))
    assert (recipe.kind, recipe.seeds, recipe.labels) == ("sample", (7,), ())
    # The slider may be further than the sheet.
    shown = choose(sheet, 2) | {"truncation": 0.5}
    assert read_recipe(save(context, shown, CHOSEN_IMAGE)).truncation == 0.5


@pytest.mark.parametrize("shown", [None, "linear"])
def test_before_its_sheet_is_drawn_no_image_of_a_model_is_chosen(
    context: AppContext, shown: str | None
) -> None:
    known = choose(draw_sheet(context)) | {"model": shown} if shown else None
    assert read_recipe(save(context, known)).seeds == (5, 6, 7, 8)
    with pytest.raises(gr.Error, match="No image of conv is drawn yet"):
        save(context, known, CHOSEN_IMAGE)


@pytest.mark.parametrize("seed", [None, "7", 7.5, True, -1])
def test_an_odd_choice_is_one_sentence(context: AppContext, seed: object) -> None:
    shown = choose(draw_sheet(context)) | {"seed": seed}
    with pytest.raises(gr.Error):
        save(context, shown, CHOSEN_IMAGE)


def test_the_exact_frame_is_of_the_morph_it_stands_in(
    context: AppContext, save_model: SaveModel
) -> None:
    render_frame = build_frame_renderer(context)
    morph = {**MORPH, "checkpoint": context.library.get_fingerprint("conv")}
    frame = decode(render_frame({**morph, "t": 0.0})["src"])
    np.testing.assert_array_equal(frame, context.sampler.sample_seeds("conv", [3])[0])
    assert SENTENCE in render_frame({**MORPH, "t": 0.0})["error"]
    replace_model(context, save_model)
    assert SENTENCE in render_frame({**morph, "t": 0.0})["error"]
    newer = {**MORPH, "checkpoint": context.library.get_fingerprint("conv")}
    frame = decode(render_frame({**newer, "t": 1.0})["src"])
    np.testing.assert_array_equal(frame, context.sampler.sample_seeds("conv", [4])[0])


def test_a_saved_still_is_of_the_morph_it_was_seen_in(
    context: AppContext, save_model: SaveModel
) -> None:
    save_still = build_still_saver(context)
    morph = {**MORPH, "checkpoint": context.library.get_fingerprint("conv"), "t": 1.0}
    path = Path(save_still(morph, 64, "nearest"))
    recipe = read_recipe(path)
    assert (recipe.kind, recipe.seeds, recipe.t) == ("frame", (3, 4), 1.0)
    with Image.open(path) as image:
        found = np.asarray(image.convert("RGB"))
    (seen,) = context.sampler.sample_seeds("conv", [4])
    scale = 64 // len(seen)
    np.testing.assert_array_equal(found, seen.repeat(scale, axis=0).repeat(scale, axis=1))
    replace_model(context, save_model)
    with pytest.raises(gr.Error, match=SENTENCE):
        save_still(morph, 64, "nearest")


@pytest.mark.parametrize(
    ("request_", "size", "reason"),
    [
        (None, 64, "no morph to take an image of yet"),
        ({}, 64, "without a position"),
        ({**MORPH, "t": 2}, 64, "Position 2.0 is out of range"),
        ({**MORPH, "t": 0.5}, 5, "Size 5 is out of range"),
        ({**MORPH, "t": 0.5, "seeds": [1]}, 64, "found 1, expected 2 to 64"),
    ],
)
def test_odd_stills_are_one_sentence_and_leave_no_file(
    context: AppContext, request_: Any, size: int, reason: str
) -> None:
    with pytest.raises(gr.Error, match=reason):
        build_still_saver(context)(request_, size, "nearest")
    assert not context.exports.exists() or not list(context.exports.rglob("*.png"))


def test_samples_of_other_weights_are_not_on_a_card(
    context: AppContext, save_model: SaveModel
) -> None:
    preview_model = build_previewer(context)
    assert len(preview_model("conv")["frames"]) == 8
    replace_model(context, save_model, is_trained=True)
    for describe in (preview_model, build_layer_describer(context)):
        answer = describe("conv")
        assert answer == {"error": "conv has been written again since: press Rescan to see it."}
    context.library.rescan()
    frames = preview_model("conv")["frames"]
    expected = context.sampler.sample_seeds("conv", range(8))
    np.testing.assert_array_equal([decode(frame) for frame in frames], expected)


def test_layers_of_a_file_that_describes_a_huge_network_are_not_listed(
    context: AppContext,
) -> None:
    """A header of gigabytes is refused by the file's index; one that fits, by its parameters."""
    describe_layers = build_layer_describer(context)
    assert [one["name"] for one in describe_layers("conv")["networks"]] == [
        "generator", "discriminator"
    ]  # fmt: skip
    path = context.library.get("conv").path
    generator, header = load_generator(path)
    huge = ModelConfig("dcgan", z_dim=4096, width=512, img_resolution=256)
    save_generator(path, generator, replace(header, model=huge))
    context.library.rescan()
    assert "does not fit the model in its header" in describe_layers("conv")["error"]
    # A small generator, whose critic has 4,096 x 4,096 kernels.
    wide = ModelConfig("label_gan", 8, 512, 3, 256, labels=LAYOUT)
    save_generator(path, build_generator(wide), replace(header, model=wide))
    context.library.rescan()
    assert re.search(r"conv has [\d,]+ parameters in both", describe_layers("conv")["error"])


def test_a_board_learns_which_of_its_models_were_replaced(
    context: AppContext, save_model: SaveModel
) -> None:
    find_replaced = build_replaced_finder(context, SCORE_AGAIN, 4)
    shown = {name: context.library.get_fingerprint(name) for name in ("conv", "linear", "grey")}
    assert find_replaced(shown) == {"notes": {}}
    replace_model(context, save_model)
    (context.library.folder / "grey.safetensors").unlink()
    notes = find_replaced(shown)["notes"]
    assert set(notes) == {"conv", "grey"}
    assert notes["conv"] == (
        "conv has been written again since it was scored: score it again to compare the newer one."
    )
    assert "grey.safetensors has gone" in notes["grey"]
    assert "no model 'nobody'" in find_replaced({"nobody": ""})["notes"]["nobody"]


@pytest.mark.parametrize("shown", [None, ["conv"], dict.fromkeys("abcde", "")])
def test_a_board_of_nobody_is_refused(context: AppContext, shown: Any) -> None:
    assert "reload it" in build_replaced_finder(context, SCORE_AGAIN, 4)(shown)["error"]
