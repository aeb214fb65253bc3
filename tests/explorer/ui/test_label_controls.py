"""From the controls of labels to plans of what is made, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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
from explorer.labels import choose_sheet
from explorer.library import CheckpointLibrary
from explorer.recipe import read_recipe
from explorer.runs import RunLibrary
from explorer.sampler import Sampler
from explorer.ui.components.label_panel import describe_panel, read_panel
from explorer.ui.context import AppContext
from explorer.ui.label_controls import set_row
from explorer.ui.label_plans import plan_morph, plan_sheet
from explorer.ui.morph import build_recipe, name_morph, set_export
from explorer.ui.stills import read_stops
from explorer.ui.tabs.interpolate import show_end
from tests.explorer.labelled import CONFIG, LAYOUT, save_labelled_model
from tests.explorer.ui.live_app import LiveApp, save_small_checkpoint, serve
from training.checkpoint import CheckpointHeader, save_generator
from training.errors import ConfigError
from training.labels import NO_LABELS, ClassLabel, LabelLayout
from training.models import build_generator


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
    panel = describe_panel(hold(hair="long"), LAYOUT)
    hair, age = panel["labels"]
    assert hair == {"name": "hair", "values": ["short", "long"]}
    assert (age["low"], age["high"], age["step"]) == (0.0, 100.0, 1)
    assert panel["chosen"] == {"hair": "long"}
    assert panel["title"] == "Labels"


@pytest.mark.parametrize(
    "value", [200, -1, 1, "grey", None, True, [1], float("nan"), float("inf"), {"a": 1}, 10**400]
)
def test_what_no_control_can_hold_is_left_open(value: Any) -> None:
    """Values of another model, or of a page that was tampered with, are not taken."""
    assert read_panel(hold(hair=value, age=30), LAYOUT) == {"age": 30.0}
    found = read_panel(hold(age=value, hair="long"), LAYOUT)
    assert found == (
        {"hair": 1.0, "age": 1.0} if value == 1 and value is not True else {"hair": 1.0}
    )
    assert read_panel({"chosen": value}, LAYOUT) == {}


def test_a_class_called_none_is_not_chosen_by_choosing_nothing() -> None:
    layout = LabelLayout((ClassLabel("hat", ("Bowler", "None"), (0.5, 0.5)),))
    assert read_panel(hold(), layout) == {}
    assert read_panel(hold(hat=None), layout) == {}
    assert read_panel(hold(hat="None"), layout) == {"hat": 1.0}


def test_a_class_is_kept_by_its_name_where_another_model_has_it_elsewhere() -> None:
    other = LabelLayout((ClassLabel("hair", ("long", "bald", "short"), (0.2, 0.3, 0.5)),))
    assert read_panel(hold(hair="long", age=30), other) == {"hair": 0.0}
    assert describe_panel(hold(hair="long", age=30), other)["chosen"] == {"hair": "long"}


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
    assert many.note == "12 of 64 seeds: a sheet has 96 images at most."
    assert plan.note == ""
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
    plan = plan_morph(context, "faces", (1, 2), (hold(hair="short", age=10), hold(age=90)), "")
    assert plan.seeds == (1, 2)
    assert plan.rows == ((0.0, 10.0), (0.0, 90.0))
    assert plan.texts == ("1", "2")


def test_labels_change_between_the_last_seed_on_the_way_and_b(context: AppContext) -> None:
    plan = plan_morph(context, "faces", (1, 8, 2), (hold(hair="short", age=10), hold(age=90)), "")
    assert plan.seeds == (1, 8, 2)
    assert plan.rows == ((0.0, 10.0), (0.0, 10.0), (0.0, 90.0))
    assert (plan.texts, plan.kind) == (("1", "8", "2"), "seed")


def test_a_sweep_stays_at_the_first_seed(context: AppContext) -> None:
    plan = plan_morph(context, "faces", (7, 2), (hold(age=10), hold(age=90)), "hair")
    assert plan.seeds == (7, 7)
    assert plan.rows == ((0.0, 10.0), (1.0, 10.0))
    assert plan.texts == ("short", "long")
    assert plan.kind == "class"
    # Seeds on the way are hidden then, and left out.
    plan = plan_morph(context, "faces", (7, 5, 2), (hold(), hold()), "age")
    assert (set(plan.seeds), plan.kind) == ({7}, "number")


@pytest.mark.parametrize(
    ("model", "sweep", "is_shown"),
    [
        ("faces", "age", False),
        ("faces", "", True),
        ("faces", None, True),
        ("plain", "age", True),  # left over from another model
        (None, "age", True),
    ],
)
def test_a_sweep_hides_what_belongs_to_b(
    context: AppContext, model: str | None, sweep: str | None, is_shown: bool
) -> None:
    widgets = show_end(context, model, sweep)
    assert [widget.visible for widget in widgets] == [is_shown] * 3


def test_a_model_whose_file_has_gone_leaves_what_belongs_to_b(context: AppContext) -> None:
    (context.library.folder / "plain.safetensors").unlink()
    assert show_end(context, "plain", "age") == [gr.skip()] * 3
    assert show_end(context, "nobody", "age") == [gr.skip()] * 3


def test_every_stop_of_a_gif_has_a_frame_and_files_tell_sweeps_apart(context: AppContext) -> None:
    rows = ((0.0, 10.0), (1.0, 10.0), (0.0, 10.0), (1.0, 10.0))
    sweep = build_recipe(context, "faces", (5,) * 4, "slerp", 1.0, rows)
    assert set_export(sweep, 60, 25, 0, "lanczos", True, 0).num_frames == 61  # 3 legs of 20
    assert set_export(sweep, 2, 25, 0, "lanczos", True, 0).num_frames == 4
    assert set_export(sweep, 600, 25, 0, "lanczos", True, 0).num_frames == 598
    assert name_morph(sweep) == "faces-5-sweep"
    assert name_morph(build_recipe(context, "faces", (5, 7), "slerp", 1.0)) == "faces-5-to-7"
    loop = build_recipe(context, "faces", (5, 7, 5), "slerp", 1.0, rows[:3])
    assert name_morph(loop) == "faces-5-to-5"


def test_a_label_of_very_many_classes_says_so(tmp_path: Path) -> None:
    values = tuple(f"v{index}" for index in range(200))
    layout = LabelLayout((ClassLabel("word", values, (0.005,) * 200),))
    config = replace(CONFIG, labels=layout)
    save_generator(
        tmp_path / "words.safetensors", build_generator(config).eval(), CheckpointHeader(config)
    )
    library = CheckpointLibrary(tmp_path)
    context = AppContext(library, Sampler(library), tmp_path / "exports", RunLibrary(tmp_path))
    with pytest.raises(ConfigError, match="word has 200 values, too many to lie side by side"):
        plan_sheet(context, "words", [1], hold(), "word")
    with pytest.raises(ConfigError, match="word has 200 values, and a sweep goes through 64"):
        plan_morph(context, "words", (1, 2), (hold(), hold()), "word")
    with pytest.raises(ConfigError, match=r"30 seeds by 200 values .* choose at most 20 seeds"):
        choose_sheet(context.sampler, "words", range(30), {}, "word")


def test_every_stop_of_a_preview_has_a_frame_of_its_own(context: AppContext) -> None:
    for num_stops, frames in ((2, 61), (3, 61), (10, 64), (64, 64)):
        recipe = build_recipe(context, "faces", (1,) * num_stops, "slerp", 1.0)
        assert recipe.num_frames == frames
        assert (frames - 1) % (num_stops - 1) == 0


def test_a_row_sent_to_interpolate_is_chosen_there(context: AppContext) -> None:
    panel = set_row(context, hold(), "faces", [1, 33.0])
    assert panel["chosen"] == {"hair": "long", "age": 33.0}
    assert set_row(context, hold(), "plain", None)["chosen"] == {}
    for row in (["x", 1], "long", [10**400, 1], [None, 1], {"hair": 1}):
        with pytest.raises(ConfigError, match="labels that are no numbers"):
            set_row(context, hold(), "faces", row)
    with pytest.raises(ConfigError, match="hair is 7"):
        set_row(context, hold(), "faces", [7, 33.0])


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"seeds": [1, 2]},
        {"seeds": "12", "labels": []},
        {"seeds": [1, 2], "labels": [["long", 2]]},
        {"seeds": [1, "x"], "labels": []},
        {"seeds": [1, 2], "labels": {"hair": 1}},
        {"seeds": [1, 2], "labels": [[10**400, 1], [0, 1]]},
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
    client = Client(
        labelled.url,
        verbose=False,
        httpx_kwargs={"timeout": 300},
        download_files=tmp_path_factory.mktemp("got"),
    )
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
        "faces",
        5,
        5,
        num_frames=3,
        size=32,
        labels="age=50",
        sweep="hair",
        api_name="/export_morph",
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
    group, panel, sweep = controls.follow(context, "faces", [hold(hair="long"), "age"])
    assert group.visible is True
    assert panel["chosen"] == {"hair": "long"}
    assert sweep.choices == [("None", ""), ("hair", "hair"), ("age", "age")]
    assert sweep.value == "age"
    hidden = controls.follow(context, "plain", [hold(hair="long"), "age"])
    assert hidden[0].visible is False
