"""The command `evaluate`, run as the command line runs it."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from training.__main__ import main
from training.images import to_uint8
from training.latents import sample_latents
from training.metrics import evaluate_cli
from training.metrics.frechet import compute_frechet_distance, compute_statistics
from training.metrics.kid import compute_kid
from training.metrics.reference import load_reference, save_reference

METRICS = ["kid", "precision", "recall", "density", "coverage"]


def test_the_images_of_consecutive_seeds_are_measured(
    evaluate, save_checkpoint, make_reference, tiny_extractor, folder, capsys
):
    generator = save_checkpoint(folder / "model.safetensors")
    make_reference("--output", "references/any-name.safetensors")
    capsys.readouterr()
    options = ["--num-samples", "30", "--batch-size", "7", "--seed", "100", "--json"]
    assert evaluate("model.safetensors", *options) == 0
    (row,) = json.loads(capsys.readouterr().out)
    with torch.inference_mode():
        features = tiny_extractor(to_uint8(generator(sample_latents(range(100, 130), 8)))).numpy()
    reference = load_reference(folder / "references" / "any-name.safetensors")
    expected = compute_frechet_distance(compute_statistics(features), reference.statistics)
    assert row["score"] == pytest.approx(expected, rel=1e-5)
    kid = compute_kid(features, reference.real.features)
    assert row["kid"]["value"] == pytest.approx(kid.value, rel=1e-4)
    assert row["kid"]["standard_error"] == pytest.approx(kid.standard_error, rel=1e-4)
    assert row["kid"]["num_samples"] == 30
    assert row["recall"]["num_samples"] == 20  # no more than there are real features
    assert row["recall"]["real"] == pytest.approx(reference.real.baselines["recall"][0][1])
    assert row["noise_floor"] == pytest.approx(reference.get_noise_floor(30))
    assert row["interval"][0] < row["score"] < row["interval"][1]
    assert row["infinite_n_interval"][0] < row["infinite_n"] < row["infinite_n_interval"][1]
    facts = {key: row[key] for key in ("name", "score_name", "extractor", "num_samples")}
    assert facts == {
        "name": "model", "score_name": "FD-Tiny", "extractor": "tiny", "num_samples": 30,
    }  # fmt: skip
    assert (row["reference"], row["is_noise_floor_measured"]) == ("Photos", False)
    assert all({"value", "standard_error", "real"} <= row[key].keys() for key in METRICS)


def test_tables_have_one_row_per_model(evaluate, models, capsys):
    assert evaluate(*models, "--num-samples", "20") == 0
    captured = capsys.readouterr()
    scores, metrics = (part.splitlines() for part in captured.out.split("\n\n"))
    assert [line.split()[0] for line in scores] == ["model", "first", "second"]
    assert metrics[0].split() == ["model", "KID", "Precision", "Recall", "Density", "Coverage"]
    assert [line.split()[0] for line in metrics[1:]] == ["first", "second", "real"]
    assert "20/20" in captured.err  # progress goes to stderr
    assert "Left out inception_score: the extractor tiny has no classes." in captured.err
    assert evaluate(*models, "--num-samples", "20", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values[0]["score"] != values[1]["score"]
    assert [line.split()[1] for line in scores[1:]] == [f"{row['score']:.2f}" for row in values]


def test_patterns_that_the_shell_left_are_expanded(evaluate, models, folder, capsys):
    """As cmd and PowerShell do; a file whose name looks like a pattern is itself."""
    options = ("--num-samples", "20", "--metrics", "none", "--json")
    (folder / "checkpoints" / "first.safetensors").rename(
        folder / "checkpoints" / "[s].safetensors"
    )
    for pattern, names in (
        ("checkpoints/s*.safetensors", ["second"]),
        ("checkpoints/*.safetensors", ["[s]", "second"]),
        ("checkpoints/[s].safetensors", ["[s]"]),
        (str(folder / "checkpoints" / "?eco*"), ["second"]),
    ):
        assert evaluate(pattern, *options) == 0
        assert [row["name"] for row in json.loads(capsys.readouterr().out)] == names
    assert evaluate("checkpoints/none*", *options) == 2
    assert "No file matches checkpoints/none*" in capsys.readouterr().err


def test_models_of_the_same_name_are_told_apart(evaluate, models, folder, capsys):
    """By their paths; the third has its name for itself."""
    other = folder / "checkpoints" / "old" / "first.safetensors"
    other.parent.mkdir()
    other.write_bytes((folder / models[0]).read_bytes())
    paths = [models[0], "checkpoints/old/first.safetensors", models[1]]
    assert evaluate(*paths, "--num-samples", "20", "--metrics", "none", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [*paths[:2], "second"]
    assert rows[0]["score"] == rows[1]["score"]
    assert evaluate(*paths[:2], "--protocol", "thesis", "--json") == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == paths[:2]


def test_an_extrapolated_noise_floor_is_marked(evaluate, models, capsys):
    for num_samples, mark in (("20", ""), ("500", "~")):
        assert evaluate(models[0], "--num-samples", num_samples, "--metrics", "none") == 0
        score = capsys.readouterr().out.splitlines()[1]
        assert ("  ~" in score) == bool(mark)


def test_the_metrics_chosen_are_the_ones_computed(evaluate, models, capsys):
    assert evaluate(models[0], "--num-samples", "20", "--json", "--metrics", "recall,kid") == 0
    captured = capsys.readouterr()
    row = json.loads(captured.out)[0]
    assert [key for key in row if key in METRICS] == ["recall", "kid"]
    assert "Left out" not in captured.err
    with pytest.raises(SystemExit, match="2"):
        evaluate(models[0], "--metrics", "recall,fun")
    assert "found 'fun', expected all, none, or some of kid," in capsys.readouterr().err


def test_a_metric_asked_for_that_cannot_be_computed_is_refused(evaluate, models, capsys):
    assert evaluate(models[0], "--num-samples", "20", "--metrics", "inception_score") == 2
    assert "cannot compute inception_score: the extractor tiny" in capsys.readouterr().err


def test_few_real_images_leave_metrics_out(evaluate, models, make_reference, capsys):
    """Of 8 images 4 are kept: enough for 3 neighbours, not for 5."""
    make_reference("--reference-images", "8", "--output", "few.safetensors")
    options = ["--num-samples", "20", "--reference", "few.safetensors"]
    capsys.readouterr()
    assert evaluate(models[0], *options, "--json") == 0
    captured = capsys.readouterr()
    assert [key for key in json.loads(captured.out)[0] if key in METRICS] == METRICS[:3]
    assert "Left out density: the reference folder:Photos keeps the features of 4" in captured.err
    assert evaluate(models[0], *options, "--metrics", "coverage") == 2
    assert "expected at least 6" in capsys.readouterr().err


def test_the_thesis_protocol_scores_ten_disjoint_sets(
    evaluate, models, tiny_extractor, folder, capsys
):
    """All of checkpoints/ without a name; the scores are recomputed by hand for the first."""
    assert evaluate("--protocol", "thesis", "--seed", "7", "--json") == 0
    captured = capsys.readouterr()
    rows = json.loads(captured.out)
    assert [row["name"] for row in rows] == ["first", "second"]
    assert "1280/1280" in captured.err
    generator, _ = evaluate_cli.load_generator(folder / models[0])
    reference = load_reference(next((folder / "checkpoints" / "references").iterdir()))
    expected = []
    for start in range(7, 7 + 1280, 128):
        with torch.inference_mode():
            images = to_uint8(generator(sample_latents(range(start, start + 128), 8)))
        statistics = compute_statistics(tiny_extractor(images).numpy())
        expected.append(compute_frechet_distance(statistics, reference.statistics))
    assert rows[0]["scores"] == pytest.approx(expected, rel=1e-5)
    assert rows[0]["score"] == pytest.approx(np.mean(expected), rel=1e-5)
    assert rows[0]["deviation"] == pytest.approx(np.std(expected, ddof=1), rel=1e-3)
    assert (rows[0]["num_samples"], rows[0]["num_sets"]) == (128, 10)
    assert rows[0]["noise_floor"] == pytest.approx(reference.get_noise_floor(128))
    chart = (folder / "experiment1.svg").read_text(encoding="utf-8")
    assert "<svg" in chart
    assert "Written: experiment1.svg" in captured.err


def test_the_thesis_protocol_prints_means_and_deviations(evaluate, models, folder, capsys):
    assert evaluate(models[1], "--protocol", "thesis", "--chart", "mine.png") == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split()[:5] == ["model", "mean", "deviation", "noise", "floor"]
    assert row.split()[0] == "second"
    assert "10 x 128" in row
    with Image.open(folder / "mine.png") as chart:
        assert chart.width > 1000


def test_the_standard_protocol_takes_ten_thousand_samples(evaluate, models, monkeypatch, capsys):
    """The number is the protocol's; a smaller one stands in for it, which would take minutes."""
    assert evaluate_cli.PROTOCOLS["standard"] == (1, 10_000)
    monkeypatch.setitem(evaluate_cli.PROTOCOLS, "standard", (1, 24))
    assert evaluate("--protocol", "standard", "--json", "--metrics", "none") == 0
    assert [row["num_samples"] for row in json.loads(capsys.readouterr().out)] == [24, 24]


def test_a_chart_of_scores_is_written(evaluate, models, folder, capsys):
    options = ["--num-samples", "20", "--metrics", "none", "--chart", "charts/scores.svg"]
    assert evaluate(*models, *options) == 0
    assert "<svg" in (folder / "charts" / "scores.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("chart", ["taken.svg", "Photos/00.png/scores.svg"])
def test_a_chart_that_cannot_be_written_is_refused_before_the_first_image(
    evaluate, models, folder, chart, capsys
):
    """A folder, or a place below a file: one sentence, and no progress before it."""
    (folder / "taken.svg").mkdir()
    assert evaluate(*models, "--num-samples", "20", "--chart", chart) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_interrupted_evaluation_keeps_what_is_done(
    evaluate, models, tiny_extractor, monkeypatch, folder, capsys
):
    """Ctrl-C arrives while the second model's images are made."""
    make = evaluate_cli.make_seeded_images
    calls = []

    def interrupt(generator, device, seed):
        calls.append(seed)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return make(generator, device, seed)

    monkeypatch.setattr(evaluate_cli, "make_seeded_images", interrupt)
    options = ["--num-samples", "20", "--json", "--chart", "scores.svg"]
    assert evaluate(*models, *options) == 130
    captured = capsys.readouterr()
    assert [row["name"] for row in json.loads(captured.out)] == ["first"]
    assert "Interrupted: 1 of 2 models are done." in captured.err
    assert not (folder / "scores.svg").exists()


def test_an_error_on_the_way_keeps_what_is_done(evaluate, models, monkeypatch, folder, capsys):
    """The second checkpoint disappears while the first is measured."""
    make = evaluate_cli.make_seeded_images

    def remove_the_other(generator, device, seed):
        (folder / models[1]).unlink()
        return make(generator, device, seed)

    monkeypatch.setattr(evaluate_cli, "make_seeded_images", remove_the_other)
    assert evaluate(*models, "--num-samples", "20", "--json") == 2
    captured = capsys.readouterr()
    assert [row["name"] for row in json.loads(captured.out)] == ["first"]
    assert "There is no checkpoint at checkpoints/second.safetensors" in captured.err


def test_too_few_samples_are_refused_before_anything_is_loaded(evaluate, capsys):
    assert evaluate("none.safetensors", "--num-samples", "1") == 2
    error = capsys.readouterr().err
    assert "found 1 sample(s), expected at least" in error
    assert len(error.splitlines()) == 1


def test_weights_that_cannot_be_read_are_refused_before_the_first_image(
    evaluate, models, folder, capsys
):
    damaged = folder / "checkpoints" / "second.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert evaluate(*models) == 2
    captured = capsys.readouterr()
    assert "second.safetensors is not a whole safetensors file" in captured.err
    assert "img/s" not in captured.err


def test_weights_that_are_not_finite_are_refused_before_the_first_image(
    evaluate, models, folder, capsys
):
    path = folder / "checkpoints" / "second.safetensors"
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    next(t for t in tensors.values() if t.is_floating_point()).view(-1)[0] = float("nan")
    save_file(tensors, path, metadata)
    assert evaluate(*models) == 2
    captured = capsys.readouterr()
    assert "finite" in captured.err
    assert "img/s" not in captured.err


@pytest.mark.parametrize(
    ("extractor", "content", "reason"),
    [
        ("inception", b"other weights", "SHA-256"),
        ("efficientnet-lite0", b"no weights", "cannot be read"),
        ("efficientnet-lite0", None, "weights.pth cannot be read (No such file"),
    ],
)
def test_extractor_weights_that_are_not_the_ones_are_refused(
    extractor, content, reason, models, folder, capsys
):
    """The reference is found first: one by that extractor and file, which needs no network."""
    own = load_reference(next((folder / "checkpoints" / "references").iterdir()))
    details = dict(own.details)
    if content is not None:
        (folder / "weights.pth").write_bytes(content)
        if extractor != "inception":  # whose weights are always the same
            details["extractor_weights"] = hashlib.sha256(content).hexdigest()[:16]
    own = dataclasses.replace(own, extractor=extractor, details=details)
    save_reference(folder / "own.safetensors", own)
    options = ["--extractor", extractor, "--extractor-weights", "weights.pth", "--device", "cpu"]
    assert main(["evaluate", models[0], "--reference", "own.safetensors", *options]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "expected at least one CHECKPOINT"),
        (["none.safetensors"], "none.safetensors"),
        (["--protocol", "thesis"], "found none in checkpoints/"),
        (["a", "--protocol", "thesis", "--num-samples", "20"], "leave one of them out"),
        (["a", "--protocol", "thesis", "--metrics", "kid"], "leave --metrics out"),
        (["a", "--chart", "scores.pdf"], "ends in .svg or .png"),
        (["a", "--seed", str(2**32 - 10)], "out of range"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(evaluate, folder, options, reason, capsys):
    assert evaluate(*options) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("value", ["0", "-3", "many", "1.5"])
def test_counts_that_are_none_are_refused(evaluate, capsys, value):
    with pytest.raises(SystemExit, match="2"):
        evaluate("model.safetensors", f"--num-samples={value}")
    assert "expected a whole number above 0" in capsys.readouterr().err
