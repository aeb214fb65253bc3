"""The commands `reader` and `fidelity`, run as the command line runs them."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.conftest import TINY_DIM, TinyNetwork
from training.__main__ import main
from training.checkpoint import CheckpointHeader, load_generator, save_generator
from training.datasets import DatasetOptions, load_dataset
from training.datasets.label_rows import read_label_rows
from training.errors import ProjectError
from training.metrics import label_reader
from training.metrics.extractors import (
    DEFAULT_EXTRACTOR,
    EXTRACTORS,
    Extractor,
    ExtractorSpec,
    load_extractor,
)
from training.metrics.label_diversity import measure_diversity
from training.metrics.label_sweep import measure_sweep
from training.metrics.reader_files import load_reader, save_reader
from training.metrics.sampling import make_labelled_images
from training.models import ModelConfig, build_generator

NUM_IMAGES = 240
READER = "checkpoints/readers/folder-photos-32.safetensors"


def write_photos(folder):
    """Write photos, left or right half light, with labels."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["file,side"]
    for number in range(NUM_IMAGES):
        # Those of the left vary more: of one label for the other, diversity is another.
        pixels = rng.integers(0, 60 if number % 2 else 20, (32, 32, 3), dtype=np.uint8)
        half = slice(0, 16) if number % 2 else slice(16, 32)
        pixels[:, half] += 120
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
        lines.append(f"{number:03}.png,{'left' if number % 2 else 'right'}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Return a folder with the photos and a reader of them."""
    folder = tmp_path_factory.mktemp("template")
    write_photos(folder / "Photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        assert train_reader(run_command, "--images-seen", "2000") == 0
    return folder


@pytest.fixture
def photos(workplace, template):
    """Return a folder of the test's own with the photos."""
    return shutil.copytree(template / "Photos", workplace / "Photos")


@pytest.fixture
def reader(workplace, template):
    """Put the reader of the photos where a command writes it."""
    path = workplace / READER
    path.parent.mkdir(parents=True)
    return shutil.copy(template / READER, path)


def run_command(*arguments):
    return main([*arguments, "--device", "cpu"])


@pytest.fixture
def run(photos):
    """Return a function that runs a command on the photos."""
    return run_command


def train_reader(run, *arguments):
    return run("reader", "--data", "folder:Photos", "--resolution", "32", *arguments)


def save_model(workplace, labels=None):
    """Save a model, untrained, of the labels of the photos, or of none."""
    dataset = load_dataset("folder:Photos", DatasetOptions(resolution=32))
    layout = read_label_rows(dataset).layout
    kind = {"model": "label_gan", "labels": layout} if labels is None else {"model": "dcgan"}
    config = ModelConfig(z_dim=8, width=4, img_resolution=32, **kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = build_generator(config).eval()
    with torch.no_grad():
        for weights in generator.parameters():
            if weights.ndim > 1:
                weights.mul_(4)  # fresh ones make pictures that are all but one grey
    path = workplace / "checkpoints" / "model.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_generator(path, generator, CheckpointHeader(config, dataset=dataset.describe()))
    return path


def test_a_reader_is_trained_written_and_measured_on_images_held_out(run, workplace, capsys):
    assert train_reader(run, "--images-seen", "4000") == 0
    reader = load_reader(workplace / READER)
    assert reader.layout.names == ("side",)
    assert reader.num_held_out == NUM_IMAGES // 10
    assert reader.agreements[0].value == 1.0  # it cannot be missed
    out = capsys.readouterr().out
    assert "read off 24 real images it did not learn from" in out
    assert "side   100.0 %" in out
    assert READER in out


@pytest.mark.parametrize("output", ["checkpoints/readers", "Photos/000.png/any.safetensors"])
def test_a_reader_that_cannot_be_written_is_not_trained(run, workplace, output, capsys):
    """A folder, or a place below a file: one sentence, and no progress before it."""
    (workplace / "checkpoints" / "readers").mkdir(parents=True)
    assert train_reader(run, "--images-seen", "2000", "--output", output) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_reader_is_not_saved_over_a_folder(photos):
    """Where its file has become a folder meanwhile, one sentence says so."""
    dataset = load_dataset("folder:Photos", DatasetOptions(resolution=32))
    labels = read_label_rows(dataset)
    reader = label_reader.train_reader(dataset, labels, num_images_seen=256, progress=False)
    with pytest.raises(ProjectError, match="Photos cannot be written"):
        save_reader(photos, reader)


def test_fidelity_finds_the_reader_of_the_models_images(run, reader, workplace, capsys):
    path = save_model(workplace)
    capsys.readouterr()
    assert run("fidelity", str(path), "--num-samples", "50", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    (label,) = found["labels"]
    assert (found["model"], label["label"]) == ("model", "side")
    assert label["fidelity"]["num_images"] == 50
    assert 0 <= label["fidelity"]["value"] <= 1
    assert label["reader_on_real"]["num_images"] == 24
    assert (label["predictor"], label["hidden_information"]) == (None, None)
    assert run("fidelity", str(path), "--num-samples", "50") == 0
    table = capsys.readouterr().out
    assert f"{100 * label['fidelity']['value']:.1f} %" in table


def load_small(weights, device):
    return Extractor(DEFAULT_EXTRACTOR, "FD-Tiny", TINY_DIM, TinyNetwork(), device)


def test_with_the_data_diversity_within_labels_is_measured(
    run, reader, workplace, capsys, monkeypatch
):
    spec = ExtractorSpec(DEFAULT_EXTRACTOR, "FD-Tiny", TINY_DIM, load_small)
    monkeypatch.setitem(EXTRACTORS, DEFAULT_EXTRACTOR, spec)  # the real one takes half a minute
    path = save_model(workplace)
    capsys.readouterr()
    command = ("fidelity", str(path), "--num-samples", "40")
    data = ("--data", "folder:Photos", "--resolution", "32")
    assert run(*command, *data, "--json") == 0
    ((label,),) = (found["labels"] for found in json.loads(capsys.readouterr().out))
    generator, _ = load_generator(path)
    images, rows = make_labelled_images(generator, "cpu")(0, 40)
    extractor = load_extractor(DEFAULT_EXTRACTOR)
    dataset = load_dataset("folder:Photos", DatasetOptions(resolution=32))
    labels = read_label_rows(dataset)
    (expected,) = measure_diversity(
        labels.layout,
        extractor(images).numpy(),
        rows.numpy(),
        extractor(torch.from_numpy(np.array(dataset.images))).numpy(),
        labels.rows,
    )
    assert label["diversity"]["mean"] == pytest.approx(expected.mean, rel=0.05)  # kept as float16
    assert label["diversity"]["lowest_group"] == expected.lowest[0]
    assert label["diversity"]["lowest"] == pytest.approx(expected.lowest[1], rel=0.05)
    assert set(label["shares"]) == {"left", "right"}
    assert run(*command, *data) == 0
    assert f"{label['diversity']['mean']:.2f}, lowest" in capsys.readouterr().out
    (workplace / "Photos" / "000.png").unlink()
    assert run(*command, *data) == 2
    assert "and --data has other images" in capsys.readouterr().err


def test_without_a_reader_it_says_how_to_get_one(run, photos, workplace, capsys):
    path = save_model(workplace)
    assert run("fidelity", str(path)) == 2
    error = capsys.readouterr().err
    assert "No reader of the images model.safetensors learned (folder:Photos, side)" in error
    command = error.split("`")[1].removeprefix("python -m training ")
    assert run(*shlex.split(command), "--images-seen", "2000") == 0
    assert run("fidelity", str(path), "--num-samples", "50") == 0


def test_a_reader_of_other_labels_is_written_beside(run, reader, photos, workplace, capsys):
    first, before = workplace / READER, (workplace / READER).read_bytes()
    model = save_model(workplace)
    table = photos / "labels.csv"
    swapped = table.read_text().replace("left", "?").replace("right", "left").replace("?", "right")
    table.write_text(swapped)
    path = save_model(workplace)
    assert run("fidelity", str(path), "--num-samples", "50") == 2  # the reader learned others
    train_reader(run, "--images-seen", "2000")
    assert first.read_bytes() == before
    (second,) = set(first.parent.iterdir()) - {first}
    assert re.fullmatch(r"folder-photos-32-[0-9a-f]{8}\.safetensors", second.name)
    assert run("fidelity", str(model), "--num-samples", "50") == 0
    train_reader(run, "--images-seen", "2000")  # the same again has no third name
    assert len(list(first.parent.iterdir())) == 2


def test_readers_in_another_cache_are_found(run, workplace, capsys):
    path = save_model(workplace)
    cache = workplace / "other-cache"
    train_reader(
        run, "--images-seen", "2000", "--output", str(cache / "readers" / "any.safetensors")
    )
    assert run("fidelity", str(path), "--num-samples", "50") == 2
    assert run("fidelity", str(path), "--num-samples", "50", "--cache-dir", str(cache)) == 0


def test_a_class_that_nobody_was_asked_for_has_no_share(run, reader, workplace, capsys):
    path = save_model(workplace)
    capsys.readouterr()
    assert run("fidelity", str(path), "--num-samples", "1", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    shares = found["labels"][0]["shares"]
    assert sorted(share is None for share in shares.values()) == [False, True]
    assert run("fidelity", str(path), "--num-samples", "1") == 0
    assert [*capsys.readouterr().out.splitlines()[1].split()][-4] == "-"  # too few for a worst


def test_a_model_without_labels_is_refused(run, photos, workplace, capsys):
    path = save_model(workplace, labels=())
    assert run("fidelity", str(path)) == 2
    assert "model.safetensors was trained without labels" in capsys.readouterr().err


def test_images_without_labels_have_no_reader(run, photos, capsys):
    (photos / "labels.csv").unlink()
    assert train_reader(run) == 2
    assert "has no labels" in capsys.readouterr().err


def test_a_sweep_reads_one_label_while_the_noise_stays(run, reader, workplace, capsys):
    path = save_model(workplace)
    capsys.readouterr()
    command = ("fidelity", str(path), "--sweep", "side", "--num-samples", "20", "--seed", "7")
    assert run(*command, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    generator, _ = load_generator(path)
    expected = measure_sweep(generator, "side", load_reader(workplace / READER), range(7, 17))
    assert found == {"model": "model", **expected.describe()}
    assert found["num_seeds"] == 10
    assert run(*command) == 0
    table = capsys.readouterr().out
    assert f"model: {50 * sum(found['shares']):.1f} % read right, of 10 seeds" in table
    assert f"left   {100 * found['shares'][0]:.1f} %" in table
    assert run("fidelity", str(path), "--sweep", "age") == 2
    assert "no label 'age'" in capsys.readouterr().err
    assert run(*command, "--data", "folder:Photos") == 2
    assert "leave --data out" in capsys.readouterr().err


def test_models_of_the_same_name_are_told_apart(run, reader, workplace, capsys):
    path = save_model(workplace)
    other = workplace / "checkpoints" / "old" / path.name
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    capsys.readouterr()
    for options in ((), ("--sweep", "side")):
        assert run("fidelity", str(path), str(other), "--num-samples", "8", "--json", *options) == 0
        found = json.loads(capsys.readouterr().out)
        assert [one.pop("model") for one in found] == [str(path), str(other)]
        assert found[0] == found[1]
    pattern = str(workplace / "checkpoints" / "m*.safetensors")
    assert run("fidelity", pattern, "--num-samples", "8", "--json") == 0
    assert [one["model"] for one in json.loads(capsys.readouterr().out)] == ["model"]


def test_a_reader_of_other_images_is_refused(run, photos, workplace, capsys):
    path = save_model(workplace)
    other = ("--resolution", "16", "--images-seen", "500", "--output", "small.safetensors")
    assert run("reader", "--data", "folder:Photos", *other) == 0
    capsys.readouterr()
    assert run("fidelity", str(path), "--reader", "small.safetensors") == 2
    error = capsys.readouterr().err
    assert "reads images of 16 x 16 pixels in 3 channels, and the model makes 32 x 32" in error
