"""The commands `reference` and `evaluate`, run as the command line runs them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from training.__main__ import main
from training.checkpoint import CheckpointHeader, save_generator
from training.datasets import DatasetOptions, load_dataset
from training.images import to_uint8
from training.latents import sample_latents
from training.metrics.frechet import compute_frechet_distance, compute_statistics
from training.metrics.reference import load_reference
from training.models import ModelConfig, build_generator

NUM_IMAGES = 20


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, make_images):
    """Work in a folder with a data set of 20 images, and with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "Photos").mkdir()
    for index, image in enumerate(make_images(NUM_IMAGES)):
        path = tmp_path / "Photos" / f"{index:02}.png"
        enlarged = image.repeat(4, axis=1).repeat(4, axis=2)
        Image.fromarray(enlarged.transpose(1, 2, 0)).save(path)
    return tmp_path


@pytest.fixture
def dataset():
    return load_dataset("folder:Photos", DatasetOptions(), progress=False)


def save_checkpoint(path, dataset, seed=0):
    """Write a DCGAN with random weights, and return it as it is sampled from."""
    config = ModelConfig("dcgan", z_dim=8, width=4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = build_generator(config).eval()
    save_generator(path, generator, CheckpointHeader(config, dataset.describe()))
    return generator


def make_reference(*options):
    return main(["reference", "--data", "folder:Photos", "--extractor", "tiny", *options])


def evaluate(*options):
    return main(["evaluate", *options, "--extractor", "tiny", "--device", "cpu"])


def test_reference_writes_the_statistics_and_prints_the_noise_floor(
    tiny_extractor, folder, dataset, capsys
):
    assert make_reference() == 0
    path = folder / "checkpoints" / "references" / "folder-photos-64-tiny.safetensors"
    reference = load_reference(path)
    features = tiny_extractor(torch.from_numpy(np.array(dataset.images))).numpy()
    expected = compute_statistics(features)
    np.testing.assert_allclose(reference.statistics.covariance, expected.covariance)
    assert reference.dataset == dataset.describe()
    printed = capsys.readouterr().out
    assert "folder:Photos: 20 of 20 images (all), extractor tiny" in printed
    assert f"        10  {dict(reference.noise_floor)[10]:.2f}" in printed.splitlines()
    assert str(path.relative_to(folder)) in printed


def test_reference_takes_a_file_name_and_a_limit(tiny_extractor, folder, capsys):
    assert make_reference("--output", "mine.safetensors", "--reference-images", "8") == 0
    assert load_reference(folder / "mine.safetensors").statistics.num_samples == 8
    assert "8 of 20 images (evenly spaced)" in capsys.readouterr().out


def test_evaluate_scores_the_images_of_consecutive_seeds(tiny_extractor, folder, dataset, capsys):
    generator = save_checkpoint(folder / "model.safetensors", dataset)
    make_reference("--output", "references/any-name.safetensors")
    capsys.readouterr()
    options = ["--num-samples", "30", "--batch-size", "7", "--seed", "100", "--json"]
    assert evaluate("model.safetensors", *options) == 0
    (row,) = json.loads(capsys.readouterr().out)
    with torch.inference_mode():
        images = to_uint8(generator(sample_latents(range(100, 130), 8)))
    reference = load_reference(folder / "references" / "any-name.safetensors")
    expected = compute_frechet_distance(
        compute_statistics(tiny_extractor(images).numpy()), reference.statistics
    )
    assert row.pop("score") == pytest.approx(expected, rel=1e-5)
    assert row.pop("noise_floor") == pytest.approx(reference.get_noise_floor(30))
    assert row == {
        "name": "model",
        "score_name": "FD-Tiny",
        "extractor": "tiny",
        "num_samples": 30,
        "reference": "Photos",
        "is_noise_floor_measured": False,
    }


def test_evaluate_prints_one_row_per_model(tiny_extractor, folder, dataset, capsys):
    for seed, name in enumerate(("first", "second")):
        save_checkpoint(folder / f"{name}.safetensors", dataset, seed)
    make_reference()
    capsys.readouterr()
    assert evaluate("first.safetensors", "second.safetensors", "--num-samples", "10") == 0
    captured = capsys.readouterr()
    header, *rows = [line.split() for line in captured.out.splitlines()]
    assert header[:5] == ["model", "score", "name", "samples", "noise"]
    assert [row[0] for row in rows] == ["first", "second"]
    assert all(row[2:4] == ["FD-Tiny", "10"] for row in rows)
    assert "10/10" in captured.err  # progress goes to stderr
    assert evaluate("first.safetensors", "second.safetensors", "--num-samples", "10", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values[0]["score"] != values[1]["score"]
    assert [row[1] for row in rows] == [f"{value['score']:.2f}" for value in values]


def test_an_extrapolated_noise_floor_is_marked(tiny_extractor, folder, dataset, capsys):
    save_checkpoint(folder / "model.safetensors", dataset)
    make_reference()
    for num_samples, mark in (("10", ""), ("500", "~")):
        capsys.readouterr()
        assert evaluate("model.safetensors", "--num-samples", num_samples) == 0
        floor = capsys.readouterr().out.splitlines()[1].split()[4]
        assert floor.startswith("~") == bool(mark)


def test_a_named_reference_is_used_whatever_the_data(tiny_extractor, folder, dataset, capsys):
    save_checkpoint(folder / "model.safetensors", dataset)
    make_reference("--output", "elsewhere/mine.safetensors", "--max-images", "12")
    assert evaluate("model.safetensors", "--num-samples", "5") == 2
    assert "found no tiny reference statistics" in capsys.readouterr().err
    options = ["--num-samples", "5", "--reference", "elsewhere/mine.safetensors"]
    assert evaluate("model.safetensors", *options) == 0


def test_without_a_reference_the_command_that_makes_it_is_named(
    tiny_extractor, folder, dataset, capsys
):
    save_checkpoint(folder / "model.safetensors", dataset)
    assert evaluate("model.safetensors") == 2
    captured = capsys.readouterr()
    assert "python -m training reference --data folder:Photos --resolution 64" in captured.err
    assert captured.out == ""


def test_a_reference_of_another_resolution_is_refused(tiny_extractor, folder, dataset, capsys):
    save_checkpoint(folder / "model.safetensors", dataset)
    make_reference("--resolution", "32", "--output", "small.safetensors")
    assert evaluate("model.safetensors", "--reference", "small.safetensors") == 2
    assert "makes images of 64 px" in capsys.readouterr().err


def test_missing_checkpoints_and_impossible_seeds_are_refused(
    tiny_extractor, folder, dataset, capsys
):
    assert evaluate("none.safetensors") == 2
    assert "none.safetensors" in capsys.readouterr().err
    save_checkpoint(folder / "model.safetensors", dataset)
    assert evaluate("model.safetensors", "--seed", str(2**32 - 10)) == 2
    assert "out of range" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "-3", "many", "1.5"])
def test_counts_that_are_none_are_refused(tiny_extractor, capsys, value):
    with pytest.raises(SystemExit, match="2"):
        evaluate("model.safetensors", f"--num-samples={value}")
    assert "expected a whole number above 0" in capsys.readouterr().err
