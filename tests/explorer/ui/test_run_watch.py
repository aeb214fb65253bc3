"""What the page is told of a training: words, and curves of a bounded size."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.run_goal import Goal
from explorer.runs import RunLibrary, RunSummary
from explorer.ui.access import name_folder
from explorer.ui.components.run_watch import (
    describe_progress,
    describe_run,
    describe_start,
    describe_summary,
)
from explorer.ui.context import AppContext
from explorer.ui.watching import build_grid_reader, build_looker
from tests.explorer.ui.live_app import LiveApp

SUMMARY = RunSummary(
    name="one", model="wgan_gp", data="avatars", resolution=64, step=1500, images_seen=480_000,
    seconds=300.0, goal=None, share=None, seconds_left=None, score=None, score_name=None,
    is_running=False, changed=0.0, problem=None,
)  # fmt: skip


def write_rows(folder: Path, *rows: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")


def describe(folder: Path) -> dict[str, Any]:
    """Describe the run "one" in a folder as the page gets it."""
    history = RunLibrary(folder).look("one")[1]
    assert history is not None
    return describe_run("one", history)


@pytest.fixture
def context(live: LiveApp, tmp_path: Path) -> AppContext:
    return replace(live.context, runs=RunLibrary(tmp_path / "runs"))


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        (None, "step 1,500"),
        (Goal("step", 20_000), "step 1,500 of 20,000"),
        (Goal("images_seen", 2_500_000), "step 1,500, 480 of 2,500 kimg"),
        (Goal("seconds", 7200), "step 1,500, 5 min of 2 h 0 min"),
    ],
)
def test_progress_is_told_in_the_goals_unit(goal: Goal | None, text: str) -> None:
    assert describe_progress(replace(SUMMARY, goal=goal)) == text


@pytest.mark.parametrize(
    ("is_running", "share", "state"),
    [(True, 0.5, "running"), (True, 1.0, "running"), (False, 1.0, "finished"),
     (False, 0.5, "stopped"), (False, None, "stopped")],
)  # fmt: skip
def test_a_state_is_one_word(is_running: bool, share: float | None, state: str) -> None:
    found = describe_summary(replace(SUMMARY, is_running=is_running, share=share))
    assert (found["state"], found["is_running"]) == (state, is_running)


def test_a_summary_names_model_size_data_and_time_left() -> None:
    found = describe_summary(replace(SUMMARY, seconds_left=61.0))
    assert (found["subtitle"], found["left"]) == ("WGAN-GP, 64 × 64, avatars", "61 s left")
    private = describe_summary(replace(SUMMARY, data="folder:/home/alice/photos"))
    assert private["subtitle"] == "WGAN-GP, 64 × 64, folder:photos"
    unknown = describe_summary(replace(SUMMARY, model="", data="", resolution=None))
    assert (unknown["subtitle"], unknown["left"]) == ("", "")


def test_the_command_that_starts_a_run_writes_where_the_page_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (Path("runs"), tmp_path / "runs"):
        start = describe_start(name_folder(folder, is_private=True))
        assert start["folder"] == "runs"
        assert start["command"].endswith("--name my-first")
    other = describe_start(name_folder(tmp_path / "my runs", is_private=True))
    assert other["command"].endswith("--name my-first --runs 'my runs'")
    assert describe_start(Path("/data/runs"))["command"].endswith("--runs /data/runs")


def test_curves_are_smoothed_with_their_numbers_behind(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "one",
        {"step": 20, "images_seen": 640, "seconds": 2.0, "loss_g": 1.0, "loss_d": -4.0,
         "penalty": 0.0, "d_real": 0.5, "d_fake": 0.25, "images_per_second": 320.4, "grad_g": 3.0},
        {"step": 40, "images_seen": 1280, "seconds": 95.0, "loss_g": 2.0, "loss_d": 1 / 3,
         "penalty": 0.0, "d_real": 0.75, "d_fake": 0.5, "images_per_second": 4321.0, "grad_g": 5.0,
         "loss_predictor": 0.5, "loss_labels": None, "d_accuracy": 0.75, "d_skipped": 0.0},
    )  # fmt: skip
    found = describe(tmp_path)
    charts = {chart["key"]: chart for chart in found["charts"]}
    # The penalty is 0 throughout: this model has none. A column without a panel gets its own.
    assert list(charts) == [
        *("loss_g", "d_real", "d_accuracy", "loss_labels", "images_per_second", "grad_g")
    ]
    # A curve without numbers is not named beside one that has some.
    assert [one["name"] for one in charts["d_accuracy"]["series"]] == ["right"]
    assert [one["name"] for one in charts["loss_labels"]["series"]] == ["of the predictor"]
    generator, discriminator = charts["loss_g"]["series"]
    assert (generator["name"], discriminator["name"]) == ("generator", "discriminator")
    assert generator["raw"] == [[20, 1.0], [40, 2.0]]
    # Weights 0.2 x 0.8 and 0.2: the second point is (0.16 + 0.4) / 0.36.
    assert generator["points"] == [[20, 1.0], [40, 1.5556]]
    assert discriminator["raw"][1] == [40, 0.33333]
    assert charts["grad_g"]["title"] == "grad_g"
    assert found["facts"] == [
        ("Images seen", "1,280"), ("Training time", "2 min"), ("Images per second", "4,321"),
        ("Score", "not scored yet"),
    ]  # fmt: skip
    assert (found["damage"], found["grids"]) == ("", [])


@pytest.mark.parametrize(
    ("score_every", "text"), [(0, "not taken in this run"), (500, "not scored yet")]
)
def test_a_run_says_why_it_has_no_score(tmp_path: Path, score_every: int, text: str) -> None:
    write_rows(tmp_path / "one", {"step": 20, "loss_g": 1.0})
    options = {"config": {"score_every": score_every}}
    (tmp_path / "one" / "options.json").write_text(json.dumps(options), encoding="utf-8")
    assert describe(tmp_path)["facts"] == [("Score", text)]


def test_a_rewind_is_told_in_words_and_draws_no_chart(tmp_path: Path) -> None:
    rates = {"learning_rate_g": 1e-4, "learning_rate_d": 2e-4}
    before = {"learning_rate_g": 2e-4, "learning_rate_d": 4e-4}
    rewind = {"event": "rewind", "num_rewinds": 1, "failed_step": 1530, "network": "generator",
              "reason": "The loss of the generator became inf at step 1530"}  # fmt: skip
    write_rows(
        tmp_path / "one",
        {"step": 1500, "loss_g": 1.0, **before},
        {"step": 1500, "images_seen": 48_000, "seconds": 9.0, **rewind, **rates},
        {"step": 1600, "loss_g": 1.0, **rates},
    )
    found = describe(tmp_path)
    assert [chart["key"] for chart in found["charts"]] == ["loss_g", "learning_rate_g"]
    assert found["facts"][1:] == [
        ("Rewind 1 of 3", "The loss of the generator became inf at step 1530: went back to step "
         "1,500 with both learning rates halved")
    ]  # fmt: skip
    assert found["facts"][0][0] == "Score"
    # As they were, not smoothed.
    chart = found["charts"][1]
    assert chart["title"] == "Learning rates (in 0.0001)"
    assert [(one["name"], one["points"]) for one in chart["series"]] == [
        ("generator", [[1500, 2.0], [1600, 1.0]]),
        ("discriminator", [[1500, 4.0], [1600, 2.0]]),
    ]


def test_learning_rates_that_stay_are_not_drawn(tmp_path: Path) -> None:
    rates = {"learning_rate_g": 1e-4, "learning_rate_d": 4e-4}
    rows = [{"step": step, "loss_g": 1.0, **rates} for step in (1, 2, 3)]
    # A run that an earlier version began.
    write_rows(tmp_path / "one", {"step": 0, "loss_g": 1.0}, *rows)
    assert [chart["key"] for chart in describe(tmp_path)["charts"]] == ["loss_g"]


def test_memory_of_process_and_gpu_share_a_chart(tmp_path: Path) -> None:
    rows = [{"step": step, "memory_mb": 900.0, "gpu_memory_mb": 5000.0} for step in (1, 2)]
    write_rows(tmp_path / "one", *rows)
    (chart,) = describe(tmp_path)["charts"]
    assert chart["title"] == "Memory (MB)"
    assert [(one["name"], one["raw"]) for one in chart["series"]] == [
        ("of the process", [[1, 900.0], [2, 900.0]]),
        ("most on the GPU", [[1, 5000.0], [2, 5000.0]]),
    ]


def test_a_score_comes_with_interval_floor_and_number_of_samples(tmp_path: Path) -> None:
    score = {"score_name": "FD-Tiny", "interval": [280.04, 293.0], "noise_floor": 45.53,
             "num_samples": 2000}  # fmt: skip
    write_rows(
        tmp_path / "one",
        {"step": 100, "score": 310.0, **score, "loss_g": 1.0},
        {"step": 200, "score": None, **score},
        {"step": 300, "score": 286.52, **score, "interval": "none"},
        {"step": 400, "score": 286.52, **score},
    )
    found = describe(tmp_path)
    (chart,) = found["charts"]
    (series,) = chart["series"]
    assert (chart["title"], series["name"]) == ("FD-Tiny (lower is better)", "FD-Tiny")
    assert series["points"] == [[100, 310.0], [300, 286.52], [400, 286.52]]
    assert series["band"] == [[100, 280.04, 293.0], [300, None, None], [400, 280.04, 293.0]]
    assert series["floors"] == [[100, 45.53], [300, 45.53], [400, 45.53]]
    assert found["facts"] == [
        ("FD-Tiny", "286.5, 95 % interval 280.0 to 293.0, 2,000 samples, noise floor 45.53")
    ]


def test_each_label_is_a_curve_of_how_well_it_is_read(tmp_path: Path) -> None:
    def label(name: str, value: float) -> dict[str, Any]:
        return {"label": name, "fidelity": {"value": value}}

    rows = [
        {"step": step, "score": 50.0, "labels": [label("hair", hair), label("age", 0.25)]}
        for step, hair in ((10, 0.5), (20, 0.75))
    ]
    write_rows(tmp_path / "one", *rows)
    charts = [chart for chart in describe(tmp_path)["charts"] if "stranger" in chart["title"]]
    assert [(one["name"], one["points"]) for one in charts[0]["series"]] == [
        ("hair", [[10, 0.5], [20, 0.75]]),
        ("age", [[10, 0.25], [20, 0.25]]),
    ]
    assert len(charts) == 1


def test_many_labels_are_several_charts_whose_lines_can_be_told_apart(tmp_path: Path) -> None:
    labels = [{"label": f"l{index}", "fidelity": {"value": 0.5}} for index in range(6)]
    write_rows(tmp_path / "one", {"step": 10, "score": 50.0, "labels": labels})
    charts = [chart for chart in describe(tmp_path)["charts"] if "stranger" in chart["title"]]
    names = [[one["name"] for one in chart["series"]] for chart in charts]
    assert names == [["l0", "l1", "l2", "l3"], ["l4", "l5"]]
    assert [chart["title"][-8:] for chart in charts] == [", 1 of 2", ", 2 of 2"]
    assert len({chart["key"] for chart in charts}) == 2


def test_a_hundred_thousand_rows_become_few_points_with_every_peak(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    values[31_415], values[92_653] = 40.0, -30.0
    (tmp_path / "one").mkdir()
    with (tmp_path / "one" / "metrics.jsonl").open("w") as file:
        for row, value in enumerate(values.tolist(), 1):
            file.write(f'{{"step": {row}, "loss_g": {value}}}\n')
    found = describe(tmp_path)
    raw = found["charts"][0]["series"][0]["raw"]
    assert 500 < len(raw) <= 1000
    assert [31_416, 40.0] in raw
    assert [92_654, -30.0] in raw
    assert (raw[0][0], raw[-1][0]) == (1, 100_000)
    assert len(found["charts"][0]["series"][0]["points"]) <= 250
    assert len(json.dumps(found)) < 50_000


@pytest.mark.parametrize(("lines", "text"), [(1, "1 line that"), (2, "2 lines that")])
def test_unreadable_lines_are_counted(tmp_path: Path, lines: int, text: str) -> None:
    write_rows(tmp_path / "one", {"step": 1, "loss_g": 1.0})
    with (tmp_path / "one" / "metrics.jsonl").open("a") as file:
        file.write("what?\n" * lines)
    damage = describe(tmp_path)["damage"]
    assert damage.startswith("Left out of metrics.jsonl: ")
    assert text in damage


def test_the_page_gets_plain_json_and_only_what_has_changed(context: AppContext) -> None:
    look = build_looker(context)
    assert look({"name": None, "version": ""})["runs"] == []
    write_rows(context.runs.folder / "one", {"step": 1, "loss_g": 1.0})
    first = json.loads(json.dumps(look({"name": "one", "version": ""})))
    assert [run["name"] for run in first["runs"]] == ["one"]
    assert first["run"]["name"] == "one"
    again = look({"name": "one", "version": first["run"]["version"]})
    assert again["run"] is None
    assert again["runs"] == first["runs"]
    assert look({"name": "nobody"})["run"] is None


def test_a_grid_is_given_as_it_was_written_or_a_sentence(context: AppContext) -> None:
    read = build_grid_reader(context)
    write_rows(context.runs.folder / "one", {"step": 1, "loss_g": 1.0})
    (context.runs.folder / "one" / "samples").mkdir()
    (context.runs.folder / "one" / "samples" / "step-0000000.png").write_bytes(b"the png")
    scheme, _, data = read({"name": "one", "step": 0})["src"].partition(",")
    assert scheme == "data:image/png;base64"
    assert base64.b64decode(data) == b"the png"
    assert "no samples of step 7" in read({"name": "one", "step": 7})["error"]
    assert "There is no run '../one'" in read({"name": "../one", "step": 0})["error"]
    for step in ("../step-0000000", None, math.nan):
        assert "is no whole number" in read({"name": "one", "step": step})["error"]
