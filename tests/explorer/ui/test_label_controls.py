"""From the controls of labels to plans of what is made, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from gradio_client import Client  # type: ignore[import-untyped]
from gradio_client.exceptions import AppError  # type: ignore[import-untyped]
from PIL import Image

from explorer.images import make_grid
from explorer.library import CheckpointLibrary
from explorer.recipe import read_recipe
from explorer.runs import RunLibrary
from explorer.sampler import Sampler
from explorer.ui.components.label_panel import describe_panel, read_panel
from explorer.ui.context import AppContext
from explorer.ui.label_controls import set_row
from explorer.ui.label_plans import plan_morph, plan_sheet
from explorer.ui.morph import build_recipe
from explorer.ui.tabs.interpolate import read_stops
from tests.explorer.labelled import LAYOUT, save_labelled_model
from tests.explorer.ui.live_app import LiveApp, save_small_checkpoint, serve
from training.errors import ConfigError
from training.labels import NO_LABELS


@pytest.fixture
def context(tmp_path: Path) -> AppContext:
    """Return a context of the model faces, with labels, and the model plain, without."""
    save_labelled_model(tmp_path)
    save_small_checkpoint(tmp_path, "plain", "dcgan", 8)
    library = CheckpointLibrary(tmp_path)
    return AppContext(library, Sampler(library), tmp_path / "exports", RunLibrary(tmp_path))


def hold(**chosen: Any) -> dict[str, Any]:
    return {"title": "Labels", "unset": "by seed", "labels": [], "chosen": chosen}


def test_a_panel_has_a_control_for_each_label() -> None:
    panel = describe_panel(hold(hair=1), LAYOUT)
    hair, age = panel["labels"]
    assert hair == {"name": "hair", "values": ["short", "long"]}
    assert (age["low"], age["high"], age["step"]) == (0.0, 100.0, 1)
    assert panel["chosen"] == {"hair": 1.0}
    assert panel["title"] == "Labels"


@pytest.mark.parametrize(
    "value", [2, -1, 0.5, "long", None, True, [1], float("nan"), float("inf"), {"a": 1}]
)
def test_what_no_control_can_hold_is_left_open(value: Any) -> None:
    """Values of another model, or of a page that was tampered with, are not taken."""
    assert read_panel(hold(hair=value, age=30), LAYOUT) == {"age": 30.0}
    assert read_panel(hold(age=value, hair=1), LAYOUT).get("hair") == 1.0
    assert read_panel({"chosen": value}, LAYOUT) == {}


def test_a_sheet_has_the_labels_chosen_and_draws_the_others(context: AppContext) -> None:
    plan = plan_sheet(context, "faces", [3, 4], hold(age=30), "")
    hairs = LAYOUT.draw([3, 4])[:, 0].tolist()
    assert plan.seeds == (3, 4)
    assert plan.rows == ((hairs[0], 30.0), (hairs[1], 30.0))
    assert plan.columns == 0


def test_a_sheet_with_a_label_across_has_a_row_for_each_seed(context: AppContext) -> None:
    plan = plan_sheet(context, "faces", [3, 4], hold(age=30), "hair")
    assert plan.seeds == (3, 3, 4, 4)
    assert plan.rows == ((0.0, 30.0), (1.0, 30.0)) * 2
    assert (plan.across, plan.columns) == ("hair", 2)
    many = plan_sheet(context, "faces", range(64), hold(), "age")
    assert len(many.seeds) == 96
    assert many.columns == 8
    ages = [row[1] for row in many.rows[:8]]
    assert ages == sorted(set(ages))
    assert (ages[0], ages[-1]) == (4.0, 94.0)


def test_a_model_without_labels_takes_no_notice(context: AppContext) -> None:
    plan = plan_sheet(context, "plain", [3, 4], hold(age=30), "hair")
    assert (plan.seeds, plan.rows, plan.layout) == ((3, 4), (), NO_LABELS)
    morph = plan_morph(context, "plain", (1, 2), (hold(age=30), hold()), "age")
    assert (morph.seeds, morph.rows, morph.texts) == ((1, 2), (), ("1", "2"))


def test_a_morph_keeps_the_labels_of_its_start_where_its_end_has_none(context: AppContext) -> None:
    plan = plan_morph(context, "faces", (1, 2), (hold(hair=0, age=10), hold(age=90)), "")
    assert plan.seeds == (1, 2)
    assert plan.rows == ((0.0, 10.0), (0.0, 90.0))
    assert plan.texts == ("1", "2")


def test_a_sweep_stays_at_the_first_seed(context: AppContext) -> None:
    plan = plan_morph(context, "faces", (7, 2), (hold(age=10), hold(age=90)), "hair")
    assert plan.seeds == (7, 7)
    assert plan.rows == ((0.0, 10.0), (1.0, 10.0))
    assert plan.texts == ("short", "long")
    assert plan.is_sweep


def test_every_stop_of_a_preview_has_a_frame_of_its_own(context: AppContext) -> None:
    for num_stops, frames in ((2, 61), (3, 61), (10, 64), (64, 64)):
        recipe = build_recipe(context, "faces", (1,) * num_stops, "slerp", 1.0)
        assert recipe.num_frames == frames
        assert (frames - 1) % (num_stops - 1) == 0


def test_a_row_sent_to_interpolate_is_chosen_there(context: AppContext) -> None:
    panel = set_row(context, hold(), "faces", (1.0, 33.0))
    assert panel["chosen"] == {"hair": 1.0, "age": 33.0}
    assert set_row(context, hold(), "plain", None)["chosen"] == {}
    with pytest.raises(ConfigError, match="hair is 7"):
        set_row(context, hold(), "faces", (7.0, 33.0))


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"seeds": [1, 2]},
        {"seeds": "12", "labels": []},
        {"seeds": [1, 2], "labels": [["long", 2]]},
        {"seeds": [1, "x"], "labels": []},
        {"seeds": [1, 2], "labels": {"hair": 1}},
    ],
)
def test_a_request_for_a_frame_that_cannot_be_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        read_stops(request_)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    root = tmp_path_factory.mktemp("labelled")
    save_labelled_model(root)
    with serve(root, root / "exports") as app:
        yield app


@pytest.fixture(scope="module")
def labelled_client(
    labelled: LiveApp, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    client = Client(labelled.url, verbose=False, download_files=tmp_path_factory.mktemp("got"))
    yield client
    client.close()


def test_programs_ask_for_labels_by_name(labelled: LiveApp, labelled_client: Client) -> None:
    path = labelled_client.predict("faces", "3, 4", 1.0, 2, 0, "age=30", "hair", api_name="/sample")
    with Image.open(path) as image:
        found = np.asarray(image)
    rows = torch.tensor([[0.0, 30.0], [1.0, 30.0]] * 2)
    images = labelled.sampler.sample_seeds("faces", [3, 3, 4, 4], 1.0, rows)
    np.testing.assert_array_equal(found, make_grid(images, 2))


def test_programs_make_the_gif_of_a_sweep(labelled_client: Client) -> None:
    path = labelled_client.predict(
        "faces", 5, 5, num_frames=3, size=32, labels="age=50", sweep="hair", api_name="/export_gif"
    )
    recipe = read_recipe(Path(path))
    assert recipe.seeds == (5, 5)
    assert recipe.labels == ((0.0, 50.0), (1.0, 50.0))
    middle = labelled_client.predict(
        "faces", 5, 5, 0.5, to_labels="age=90", labels="age=10", api_name="/interpolate_frame"
    )
    assert Path(middle).is_file()


def test_wrong_labels_are_one_sentence_for_programs(labelled_client: Client) -> None:
    with pytest.raises(AppError, match="There is no label 'beard': the model's labels are hair"):
        labelled_client.predict("faces", "1", labels="beard=1", api_name="/sample")


def test_the_controls_show_only_where_there_are_labels(context: AppContext) -> None:
    from explorer.ui.label_controls import LabelControls

    with gr.Blocks():
        controls = LabelControls(gr.Column(), (gr.HTML(),), gr.Dropdown(), "None")
    group, panel, sweep = controls.follow(context, "faces", [hold(hair=1), "age"])
    assert group.visible is True
    assert panel["chosen"] == {"hair": 1.0}
    assert sweep.choices == [("None", ""), ("hair", "hair"), ("age", "age")]
    assert sweep.value == "age"
    hidden = controls.follow(context, "plain", [hold(hair=1), "age"])
    assert hidden[0].visible is False
