"""Cards and the table of checkpoints: what is written is what the headers and scores say."""

import json

import pytest

from training.__main__ import main
from training.cards import describe_labels
from training.checkpoint import CheckpointHeader, save_generator
from training.label_summary import LabelSummary, summarize_labels
from training.labels import ClassLabel, LabelLayout, NumberLabel
from training.models import ModelConfig, build_generator

DATASET = {
    "name": "avatars:toon-head",
    "title": "Avatars | toon-head",
    "resolution": 32,
    "num_images": 20000,
    "terms": "CC BY 4.0",
    "fingerprint": "abc123",
}
TRAINING = {
    "images_seen": 128000,
    "steps": 2000,
    "seconds": 1800.0,
    "device": "A CPU, 2 cores",
    "precision": "bf16",
    "command": "python -m training train --model dcgan --data avatars --name one",
}
SCORE = {
    "score": 104.26,
    "score_name": "FD-EfficientNet-Lite0",
    "num_samples": 1000,
    "noise_floor": 12.34,
    "reference": "avatars:toon-head",
    "step": 1500,
}


@pytest.fixture
def folder(tmp_path):
    config = ModelConfig("dcgan", z_dim=8, width=2, img_resolution=32)
    folder = tmp_path / "checkpoints"
    for name in ("one", "two"):
        header = CheckpointHeader(config, DATASET, TRAINING, [SCORE])
        save_generator(folder / f"{name}.safetensors", build_generator(config), header)
    page = "before\n<!-- models:begin -->\nold\n<!-- models:end -->\nafter\n"
    (folder / "README.md").write_text(page, encoding="utf-8")
    return folder


def read_cells(line):
    return [cell.strip() for cell in line.replace("\\|", "/").strip("|").split("|")]


def test_cards_and_table_say_what_headers_and_scores_say(folder):
    better = {**SCORE, "name": "two", "score": 90.0, "num_samples": 5000, "noise_floor": 2.5}
    better["is_noise_floor_measured"] = False
    (folder / "scores.json").write_text(json.dumps([better]), encoding="utf-8")
    assert main(["cards", "--checkpoints", str(folder)]) == 0
    page = (folder / "README.md").read_text(encoding="utf-8")
    before, header, rule, one, two, after = (
        part for part in page.splitlines() if not part.startswith("<!--")
    )
    assert (before, after) == ("before", "after")
    assert len(read_cells(header)) == rule.count("---") == 11
    scored = ["104.3 FD-EfficientNet-Lite0", "1,000", "", "12.3", "CC BY 4.0"]
    trained = ["128,000", "0.50", "A CPU, 2 cores", f"`{TRAINING['command']}`"]
    assert read_cells(one) == ["[one](one.md)", "Avatars / toon-head", *scored, *trained]
    assert read_cells(two)[2:6] == ["90.0 FD-EfficientNet-Lite0", "5,000", "", "~2.5"]
    card = (folder / "one.md").read_text(encoding="utf-8")
    assert TRAINING["command"] in card
    assert "| images seen | 128,000 (2,000 generator steps) |" in card
    # 8*8*16 + 8*4*16 + 4*2*16 + 2*3*16 weights and 2 * (8 + 4 + 2) of the norms
    assert "| generator | 1,788 parameters |" in card


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_scores_are_read_as_any_shell_writes_them(folder, encoding):
    """Windows PowerShell 5.1 redirects in UTF-16, with a mark of the byte order."""
    row = {**SCORE, "name": "two", "score": 90.0}
    (folder / "scores.json").write_text(json.dumps([row]), encoding=encoding)
    assert main(["cards", "--checkpoints", str(folder)]) == 0
    assert "| score | FD-EfficientNet-Lite0 90.0 of" in (folder / "two.md").read_text("utf-8")


def test_a_card_names_the_techniques(folder):
    config = ModelConfig("dcgan", 8, 2, 3, 32, critic_norm="spectral", has_minibatch_stddev=True)
    options = {"loss": "hinge", "critic_norm": "spectral", "has_minibatch_stddev": True}
    header = CheckpointHeader(config, DATASET, {**TRAINING, **options}, [SCORE])
    save_generator(folder / "three.safetensors", build_generator(config), header)
    assert main(["cards", "--checkpoints", str(folder)]) == 0
    card = (folder / "three.md").read_text(encoding="utf-8")
    assert (
        "| techniques | loss hinge; critic's normalisation spectral; minibatch standard deviation"
        " (Karras et al. 2018) |"
    ) in card
    plain = (folder / "one.md").read_text(encoding="utf-8")
    assert "| techniques | as published |" in plain


def test_intervals_limits_and_metrics_are_shown(folder):
    new = {
        **SCORE,
        "name": "two",
        "interval": [103.04, 105.96],
        "infinite_n": 98.76,
        "infinite_n_interval": [95.0, 102.52],
        "kid": {"title": "KID", "value": 0.0931, "standard_error": 0.002, "real": -0.00004},
        "recall": {"title": "Recall", "value": 0.25, "standard_error": None, "real": 0.9},
        "inception_score": {"title": "IS-X", "value": 1.5, "standard_error": 0.1, "real": None},
    }
    (folder / "scores.json").write_text(json.dumps([new]), encoding="utf-8")
    assert main(["cards", "--checkpoints", str(folder)]) == 0
    header, _, _, two = (folder / "README.md").read_text(encoding="utf-8").splitlines()[2:6]
    shown = dict(zip(read_cells(header), read_cells(two), strict=True))
    assert shown["score"] == "104.3 [103.0, 106.0] FD-EfficientNet-Lite0"
    assert shown["infinite N"] == "98.8 [95.0, 102.5]"
    assert shown["noise floor"] == "12.3"
    card = (folder / "two.md").read_text(encoding="utf-8").splitlines()
    assert (
        "| score | FD-EfficientNet-Lite0 104.3 [103.0, 106.0] of 1,000 samples against"
        " avatars:toon-head; at infinitely many samples 98.8 [95.0, 102.5]; noise floor 12.3 |"
    ) in card
    assert "| KID | 0.0931 ± 0.0020; real images 0.0000 |" in card
    assert "| Recall | 0.2500; real images 0.9000 |" in card
    assert "| IS-X | 1.5000 ± 0.1000 |" in card


def test_pages_outside_the_folder_get_a_shorter_table_with_links_that_fit(folder):
    page = folder.parent / "README.md"
    page.write_text("<!-- models:begin --><!-- models:end -->", encoding="utf-8")
    assert main(["cards", "--checkpoints", str(folder), "--pages", str(page)]) == 0
    one = page.read_text(encoding="utf-8").splitlines()[3]
    scored = ["104.3 FD-EfficientNet-Lite0", "1,000", "12.3", "CC BY 4.0"]
    assert read_cells(one) == ["[one](checkpoints/one.md)", "Avatars / toon-head", *scored]


def test_what_is_missing_is_named(folder, tmp_path, capsys):
    assert main(["cards", "--checkpoints", str(tmp_path / "none")]) == 2
    assert "There is no checkpoint in" in capsys.readouterr().err
    (folder / "README.md").write_text("no place", encoding="utf-8")
    assert main(["cards", "--checkpoints", str(folder)]) == 2
    assert "has no place for the table" in capsys.readouterr().err
    assert main(["cards", "--checkpoints", str(folder), "--scores", "absent.json"]) == 2
    assert "absent.json holds no scores" in capsys.readouterr().err


def test_a_header_that_says_little_gives_a_card_that_says_so(folder):
    """Without data, training or a whole score, as of a generator that was brought along."""
    config = ModelConfig("dcgan", z_dim=8, width=2, img_resolution=32)
    for name, score in (("three", []), ("four", [{"score": 3.0}])):
        header = CheckpointHeader(config, {}, {}, score)
        save_generator(folder / f"{name}.safetensors", build_generator(config), header)
    assert main(["cards", "--checkpoints", str(folder)]) == 0
    card = (folder / "four.md").read_text(encoding="utf-8")
    assert "| data | unknown, unknown images, fingerprint `unknown` |" in card
    assert "| images seen | unknown (unknown generator steps) |" in card
    assert "| score | none |" in card
    rows = {
        cells[0]: cells[1:]
        for cells in map(read_cells, (folder / "README.md").read_text("utf-8").splitlines())
    }
    expected = ["unknown", "none", "", "", "", *["unknown"] * 4, "`unknown`"]
    assert rows["[three](three.md)"] == rows["[four](four.md)"] == expected


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"score_name": None}, "score_name"),
        ({"score": "low"}, "score"),
        ({"num_samples": float("nan")}, "num_samples"),
        ({"interval": [1.0]}, "interval"),
        ({"infinite_n": []}, "infinite_n"),
    ],
)
def test_scores_that_cannot_be_shown_are_named(folder, change, missing, capsys):
    (folder / "scores.json").write_text(json.dumps([SCORE | {"name": "two"} | change]), "utf-8")
    assert main(["cards", "--checkpoints", str(folder)]) == 2
    assert f"scores.json has no usable {missing} of two" in capsys.readouterr().err
    assert not (folder / "one.md").exists()


def test_a_page_without_a_place_is_said_before_anything_is_written(folder, capsys):
    page = folder.parent / "page.md"
    page.write_text("no place", encoding="utf-8")
    pages = ("--pages", str(folder / "README.md"), str(page))
    assert main(["cards", "--checkpoints", str(folder), *pages]) == 2
    assert "page.md has no place for the table" in capsys.readouterr().err
    assert not list(folder.glob("*[!E].md"))
    assert "old" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "labels",
    [
        "yes", [1], [{"label": "age"}], {"label": "hair"}, [{"label": ["hair"]}],
        [{"label": "hair", "fidelity": {"value": "high"}, "reader_on_real": 1, "predictor": None}],
        [{"label": "hair", "fidelity": 3}],
    ],
)  # fmt: skip
def test_what_a_damaged_file_says_of_its_labels_is_left_out(labels):
    layout = LabelLayout((ClassLabel("hair", ("short", "long"), (0.5, 0.5)),))
    config = ModelConfig("label_gan", z_dim=8, width=2, img_resolution=32, labels=layout)
    header = CheckpointHeader(config, DATASET, TRAINING, [{**SCORE, "labels": labels}])
    assert describe_labels(header) == [("label hair", "short, long")]


def test_labels_are_summarized_by_the_row_of_the_best_score():
    layout = LabelLayout(
        (ClassLabel("hair", ("short", "long"), (0.5, 0.5)), NumberLabel("age", (0.0, 40.0, 90.0)))
    )
    config = ModelConfig("label_gan", z_dim=8, width=2, img_resolution=32, labels=layout)
    hair = {
        "label": "hair",
        "fidelity": {"value": 0.456, "num_images": 500},
        "reader_on_real": {"value": 0.9721, "num_images": 100},
        "predictor": {"value": 0.997, "num_images": 500},
        "diversity": {"mean": 0.987, "lowest": 0.9},
    }
    age = {
        "label": "age",
        "fidelity": {"value": 0.834, "num_images": 500, "error": 8.61},
        "reader_on_real": {"value": 0.81, "num_images": 100, "error": 8.3},
        "predictor": None,
    }
    worse = {**SCORE, "score": 200.0, "labels": [{**hair, "fidelity": {"value": 0.1}}]}
    best = {**SCORE, "labels": [hair, age]}
    header = CheckpointHeader(config, DATASET, TRAINING, [worse, best])
    assert summarize_labels(header) == [
        LabelSummary("hair", "short, long", "45.6 %", "97.2 %", "99.7 %", "54.1 points", "0.99"),
        LabelSummary(
            "age",
            "a number from 0 to 90",
            "rank correlation 0.83, mean error 8.61",
            "rank correlation 0.81, mean error 8.3",
        ),
    ]
    assert dict(describe_labels(header)) == {
        "label hair": "short, long; an independent reader reads 45.6 %, of real images 97.2 %; the"
        " model's own predictor 99.7 %, so hidden information 54.1 points; within a value samples"
        " differ 0.99 times as much as real images",
        "label age": "a number from 0 to 90; an independent reader reads rank correlation 0.83,"
        " mean error 8.61, of real images rank correlation 0.81, mean error 8.3",
    }
