"""What is handed to the page: encoded pixels, cards, boards, and lists of seeds."""

from __future__ import annotations

import base64
import io
import json
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.library import CheckpointEntry, CheckpointLibrary
from explorer.model_scoring import ComparisonUpdate
from explorer.runs import RunLibrary
from explorer.sampler import Sampler
from explorer.ui.components.model_cards import describe_card
from explorer.ui.context import AppContext, choose_models
from explorer.ui.encoding import SPRITE_COLUMNS, encode_png, encode_sprite
from explorer.ui.export_panel import stop_export
from explorer.ui.scoring import Board, ScoreRow, describe_progress
from explorer.ui.tabs.compare import check_models, check_seeds, describe_scoring, stop_scoring
from explorer.ui.tabs.sample import list_seeds
from training.checkpoint import CheckpointHeader
from training.config import TrainConfig
from training.errors import ConfigError
from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS, Extractor, ExtractorSpec
from training.metrics.score import Score, describe_score
from training.models import ModelConfig

CONFIG = ModelConfig(model="dcgan", z_dim=16)


def decode(uri: str) -> np.ndarray:
    head, _, text = uri.partition(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        return np.asarray(image)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_keeps_every_pixel(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 6, channels), dtype=np.uint8)
    np.testing.assert_array_equal(decode(encode_png(image)).reshape(image.shape), image)


def test_a_sprite_has_frame_i_at_its_row_and_column() -> None:
    levels = np.arange(SPRITE_COLUMNS + 3, dtype=np.uint8) * 20
    frames = np.broadcast_to(levels[:, None, None, None], (len(levels), 8, 8, 3)).copy()
    sprite = decode(encode_sprite(frames))
    assert sprite.shape == (16, 8 * SPRITE_COLUMNS, 3)
    for index, level in enumerate(levels):
        row, column = divmod(index, SPRITE_COLUMNS)
        assert abs(int(sprite[8 * row + 4, 8 * column + 4, 0]) - int(level)) <= 2


def test_seeds_go_on_at_zero_after_the_last_one() -> None:
    assert list_seeds(2**32 - 2, 4) == [2**32 - 2, 2**32 - 1, 0, 1]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(None, "0 models"), (["a"], "1 model is"), (["a", "a"], "twice"), (list("abcde"), "5 models")],
)
def test_two_to_four_different_models_are_compared(names: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        check_models(names)
    assert check_models(["a", "b"]) == ["a", "b"]


def test_seeds_on_the_page_are_different_and_at_most_64() -> None:
    assert check_seeds("5, 1-3, 2") == [5, 1, 2, 3]
    assert len(check_seeds("0-63")) == 64
    with pytest.raises(ConfigError, match="65 seeds are too many"):
        check_seeds("0-64")


@pytest.mark.parametrize(
    ("chosen", "is_several", "expected"),
    [
        ("b", False, "b"),
        ("gone", False, "a"),
        (None, False, "a"),
        (["b", "gone"], True, ["b"]),
        (["gone"], True, ["a", "b", "c"]),
    ],
)
def test_a_rescan_keeps_what_is_chosen(chosen: Any, is_several: bool, expected: Any) -> None:
    assert choose_models(["a", "b", "c", "d"], chosen, is_several) == expected


def test_an_empty_folder_leaves_nothing_chosen() -> None:
    assert choose_models([], "a", False) is None
    assert choose_models([], ["a"], True) == []


def test_a_card_takes_odd_metadata_without_failing() -> None:
    dataset = {"title": ["a", "list"], "name": None, "num_images": "many", "terms": {"x": 1}}
    training = {
        "images_seen": math.nan,
        "steps": True,
        "seconds": "long",
        "seed": None,
        "loss": ["x"],
    }
    history: list[dict[str, Any]] = [
        {"images_seen": "first", "score": 3.0},
        {"images_seen": 10, "score": math.inf, "loss_d": 1.0},
        {"images_seen": 20, "score": 2.0, "noise_floor": "low", "score_name": "<b>FID</b>"},
    ]
    entry = CheckpointEntry(
        "odd", Path("odd"), CheckpointHeader(CONFIG, dataset, training, history)
    )
    card = describe_card(entry)
    json.dumps(card, allow_nan=False)
    assert card["score"] == 2.0
    assert card["noise_floor"] is None
    assert card["score_line"] == "<b>FID</b>, noise floor unknown"
    assert card["curve"] == {"score": [(20.0, 2.0)], "loss_d": [(10.0, 1.0)], "loss_g": []}
    assert ("Latent size", "16") in card["training"]
    assert ("Techniques", "loss ['x']") in card["training"]
    assert [term for term, _ in card["facts"]] == ["Data", "Terms of the data"]
    assert "Steps" not in dict(card["training"])
    assert card["labels"] == []


def test_a_long_curve_keeps_its_last_point() -> None:
    history = [{"images_seen": row, "score": float(row)} for row in range(1, 1002)]
    entry = CheckpointEntry("long", Path("long"), CheckpointHeader(CONFIG, {}, {}, history))
    points = describe_card(entry)["curve"]["score"]
    assert points[0] == (1.0, 1.0)
    assert points[-1] == (1001.0, 1001.0)
    assert 300 < len(points) <= 402


ODD_VALUES = [None, True, -1, 10**400, math.nan, "text", [["a"]], {"a": [1]}]


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: str(value)[:9])
def test_a_card_takes_any_value_of_json_anywhere(value: Any) -> None:
    """Every value that the trainer writes, in another type."""
    score = {"score": 2.0, "images_seen": 3, "score_name": "FID", "labels": [{"label": "a"}]}
    config = TrainConfig("dcgan", "any", "any").resolve().to_dict()
    dataset = dict.fromkeys(("title", "name", "num_images", "terms", "fingerprint"), value)
    facts = dict.fromkeys(("images_seen", "steps", "seconds", "device", "command"), value)
    training = {**dict.fromkeys(config, value), **facts}
    for row in (dict.fromkeys(score, value), {**score, "labels": value}, {"labels": [value]}):
        header = CheckpointHeader(CONFIG, dataset, training, [score, row])
        card = describe_card(CheckpointEntry("odd", Path("odd"), header))
        assert json.loads(json.dumps(card, allow_nan=False))["name"] == "odd"


def make_score(num_samples: int, value: float = 30.0) -> Score:
    """Make a score whose interval is 2 wide and whose extrapolation is 10 lower."""
    return Score(
        value=value,
        score_name="FD-EfficientNet-Lite0",
        extractor="efficientnet-lite0",
        num_samples=num_samples,
        reference="avatars",
        noise_floor=12.0,
        is_noise_floor_measured=True,
        interval=(value - 1, value + 1),
        infinite_n=value - 10,
        infinite_n_interval=(value - 14, value - 6),
    )


def make_update(score: Score, **facts: Any) -> ComparisonUpdate:
    return ComparisonUpdate("one", score, seconds=1.0, is_last=False, checkpoint="c0ffee", **facts)


def test_a_score_row_collects_its_points() -> None:
    row = ScoreRow("one").add(make_update(make_score(64))).add(make_update(make_score(128, 20.0)))
    assert [(point["x"], point["y"]) for point in row.list_points()] == [(64, 30.0), (128, 20.0)]
    assert row.list_points()[1] == {"x": 128, "y": 20.0, "low": 19.0, "high": 21.0, "floor": 12.0}
    assert row.to_dict()["value"] == 20.0
    assert row.to_dict()["interval"] == [19.0, 21.0]
    assert row.to_dict()["checkpoint"] == "c0ffee"
    assert row.to_dict()["infinite_n_interval"] == [6.0, 14.0]
    assert set(row.to_dict()) == {"model", "checkpoint", "value"} | set(
        describe_score(make_score(64))
    ) - {"score"}
    assert ScoreRow("one").to_dict() == {"model": "one", "value": None}


def test_scores_known_from_before_come_first_and_once() -> None:
    known = make_update(make_score(256), earlier=(make_score(64), make_score(128)), is_known=True)
    row = ScoreRow("one").add(known).add(replace(known, earlier=(), num_done=96))
    assert [score.num_samples for score in row.scores] == [64, 128, 256]
    assert row.num_done == 96


def test_of_two_scores_of_as_many_samples_the_newer_stays() -> None:
    row = ScoreRow("one").add(make_update(make_score(64))).add(make_update(make_score(64, 29.0)))
    assert row.scores == (make_score(64, 29.0),)


@pytest.mark.parametrize(("other", "is_told"), [("a64", False), ("a128", True)])
def test_scores_of_different_data_are_told_apart(other: str, is_told: bool) -> None:
    """Statistics at two resolutions have one title."""
    first = ScoreRow("one").add(make_update(make_score(64), num_done=64, reference="a64"))
    update = replace(make_update(make_score(64), num_done=64, reference=other), model="two")
    second = ScoreRow("two").add(update)
    board = describe_scoring(Board((first, second), 128))[2]
    assert board["status"] == "64 of 128 samples of each model."
    assert ("different real images" in board["note"]) == is_told


def test_the_card_of_an_older_checkpoint_shows_no_folders() -> None:
    """Its header holds the command as it was typed; the page shows the last part of each place."""
    typed = "python -m training train --data folder:/home/alice/clients/photos --cache-dir /var/x"
    header = CheckpointHeader(CONFIG, {}, {"command": typed}, [])
    card = describe_card(CheckpointEntry("old", Path("old"), header))
    assert "python -m training train --data folder:photos --cache-dir x" in json.dumps(card)
    assert "alice" not in json.dumps(card)


def test_the_board_says_what_its_scores_are_of() -> None:
    """Seeds and truncation of the sheets do not change the scores, which say theirs."""
    scored = Board((ScoreRow("one", (make_score(64),), num_done=64),), 1024)
    board = describe_scoring(scored)[2]
    assert board["note"] == "Scores are of seeds 0 to 1,023 at truncation 1."
    assert stop_scoring(board)[2]["note"] == board["note"]
    assert describe_scoring(Board((ScoreRow("one"),), 1024))[2]["note"] == ""


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (ScoreRow("one"), "Loading the feature extractor and the first samples."),
        (ScoreRow("one", (make_score(64),), num_done=64), "64 of 128 samples of each model."),
        (
            ScoreRow("one", (make_score(64),), num_done=32, is_kept=True),
            "32 of 128 samples of each model. Earlier values are shown; the samples behind them "
            "are gone through again.",
        ),
        (
            ScoreRow("one", (make_score(128),), num_done=128, is_last=True),
            "Scored 128 samples of each model.",
        ),
        (
            ScoreRow("one", (make_score(128),), num_done=128, is_kept=True, is_last=True),
            "Scored 128 samples of each model, kept from an earlier time.",
        ),
    ],
)
def test_the_status_says_how_far_it_is(row: ScoreRow, sentence: str) -> None:
    assert describe_progress(Board((row,), 128)) == sentence


def test_stopping_keeps_values_and_clears_an_empty_board() -> None:
    board = {"rows": [{"model": "one", "points": [[64, 30.0]]}], "status": "64 of 128"}
    assert stop_scoring(board)[2]["rows"] == board["rows"]
    assert stop_scoring(board)[2]["status"].startswith("Stopped")
    assert stop_scoring({"rows": [{"model": "one", "points": []}]})[2] == {}
    assert stop_scoring(None)[2] == {}
    done = {**board, "status": "Scored", "is_done": True}
    assert stop_scoring(done)[2]["status"] == "Scored"


def test_stopping_an_export_late_leaves_a_finished_one_alone() -> None:
    assert stop_export({"text": "Rendering 8 of 20", "done": 8, "total": 20})[2]["text"] == (
        "No file was made."
    )
    assert stop_export({"text": "20 frames", "done": 0, "total": 0})[2]["text"] == "20 frames"
    assert stop_export({})[2]["text"] == "No file was made."


def test_preparing_loads_the_default_extractor_once_on_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded_on = []

    def load(weights: Path | None, device: torch.device) -> Extractor:
        loaded_on.append(threading.current_thread().name)
        return Extractor(DEFAULT_EXTRACTOR, "FD", 3, torch.nn.Identity(), device)

    spec = ExtractorSpec(DEFAULT_EXTRACTOR, "FD", 3, load)
    monkeypatch.setitem(EXTRACTORS, DEFAULT_EXTRACTOR, spec)
    library = CheckpointLibrary(tmp_path / "none")
    runs = RunLibrary(tmp_path / "runs")
    context = AppContext(library, Sampler(library), tmp_path, runs, scores=tmp_path / "scores")
    assert loaded_on == []
    context.prepare_scoring()
    context.prepare_scoring()
    context.worker.submit(lambda: None).result()
    assert loaded_on == ["worker_0"]
    assert context.bank.get_extractor(DEFAULT_EXTRACTOR).score_name == "FD"
    context.worker.shut_down()
