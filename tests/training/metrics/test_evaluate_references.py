"""Which reference statistics `evaluate` takes, and what it says where there are none that fit."""

import dataclasses
import hashlib
import json
import shlex
import shutil

import pytest

from training.__main__ import main
from training.checkpoint import CheckpointHeader, save_generator
from training.datasets import DatasetOptions, load_dataset
from training.metrics import evaluate_cli
from training.metrics.reference import get_reference, load_reference
from training.models import ModelConfig, build_generator


def test_a_named_reference_is_used_whatever_the_data(evaluate, models, make_reference, capsys):
    make_reference("--output", "elsewhere/mine.safetensors", "--max-images", "32")
    options = ["--num-samples", "20", "--reference", "elsewhere/mine.safetensors"]
    assert evaluate(models[0], *options) == 0


def test_a_folder_of_images_is_measured_as_the_reference_and_cached(
    evaluate, save_checkpoint, make_reference, folder, capsys
):
    save_checkpoint(folder / "model.safetensors")
    options = ["--num-samples", "20", "--json"]
    assert evaluate("model.safetensors", *options, "--reference", "folder:Photos") == 0
    captured = capsys.readouterr()
    assert "real features" in captured.err  # progress
    (row,) = json.loads(captured.out)
    make_reference("--output", "same.safetensors")
    capsys.readouterr()
    assert evaluate("model.safetensors", *options, "--reference", "same.safetensors") == 0
    assert json.loads(capsys.readouterr().out) == [row]
    assert evaluate("model.safetensors", *options, "--reference", "folder:Photos") == 0
    captured = capsys.readouterr()
    assert "real features" not in captured.err
    assert json.loads(captured.out) == [row]


def test_a_folder_as_reference_can_be_cropped(evaluate, save_checkpoint, folder, capsys):
    save_checkpoint(folder / "model.safetensors")
    rows = []
    for crop in ([], ["--crop", "0,0,20,20"]):
        options = ["--num-samples", "20", "--json", "--reference", "folder:Photos", *crop]
        assert evaluate("model.safetensors", *options) == 0
        rows += json.loads(capsys.readouterr().out)
    assert rows[0]["score"] != rows[1]["score"]


def test_a_folder_that_is_not_there_is_refused(evaluate, models, capsys):
    assert evaluate(models[0], "--reference", "folder:Nowhere") == 2
    assert "Nowhere" in capsys.readouterr().err


def test_the_help_says_what_a_published_score_needs(evaluate, make_reference, folder, capsys):
    """A reference of all images; the option named makes one beyond the usual limit."""
    with pytest.raises(SystemExit, match="0"):
        evaluate("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "A reference holds at most 10,000 images, unless --reference-images says" in text
    assert "`reference --data DATA --extractor inception --reference-images N`" in text
    assert make_reference("--reference-images", "30", "--output", "limited.safetensors") == 0
    assert make_reference("--reference-images", "60000", "--output", "all.safetensors") == 0
    counts = [load_reference(folder / f"{name}.safetensors") for name in ("limited", "all")]
    assert [one.statistics.num_samples for one in counts] == [30, 40]


def test_what_is_in_another_cache_is_found(
    evaluate, save_checkpoint, tiny_extractor, photos, folder, capsys
):
    """As a training with --cache-dir leaves it; the usual cache has none of it."""
    save_checkpoint(folder / "model.safetensors")
    get_reference(photos, "tiny", folder / "mine", progress=False)
    capsys.readouterr()
    options = ("--num-samples", "20", "--metrics", "none")
    assert evaluate("model.safetensors", *options) == 2
    assert evaluate("model.safetensors", *options, "--cache-dir", "mine") == 0
    assert "real features" not in capsys.readouterr().err


def test_a_data_set_is_measured_where_it_lies_and_kept_where_it_is_to_be(
    evaluate, save_checkpoint, folder
):
    """--data-root and --cache-dir reach a data set that --reference names."""
    save_checkpoint(folder / "model.safetensors")
    (folder / "root" / "celeba").mkdir(parents=True)
    (folder / "Photos").rename(folder / "root" / "celeba" / "img_align_celeba")
    places = ("--data-root", "root", "--cache-dir", "mine")
    options = ("--reference", "celeba", "--num-samples", "20", "--metrics", "none")
    assert evaluate("model.safetensors", *options, *places) == 0
    assert len(list((folder / "mine" / "references").iterdir())) == 1
    assert list((folder / "mine" / "datasets").glob("celeba-64-*.npy"))
    assert not (folder / "cache" / "latent-explorer" / "references").exists()


def test_other_weights_have_references_of_their_own(
    evaluate, models, make_reference, folder, capsys
):
    """Those of the usual weights are passed over, and none takes the place of the other's."""
    (folder / "weights.pth").write_bytes(b"other")
    own = ("--extractor-weights", "weights.pth")
    options = ("--num-samples", "20", "--metrics", "none")
    assert evaluate(models[0], *options, *own) == 2
    error = capsys.readouterr().err
    assert "found no tiny (of these weights) reference statistics" in error
    words = shlex.split(error.split("`")[1])
    assert main(words[3:]) == 0
    digest = hashlib.sha256(b"other").hexdigest()
    references = folder / "checkpoints" / "references"
    assert sorted(path.name for path in references.iterdir()) == [
        f"folder-photos-64-tiny-weights-{digest[:8]}.safetensors",
        "folder-photos-64-tiny.safetensors",
    ]
    assert evaluate(models[0], *options, *own) == 0
    (references / "folder-photos-64-tiny.safetensors").unlink()
    shutil.rmtree(folder / "cache" / "latent-explorer" / "references")
    assert evaluate(models[0], *options) == 2  # the other weights' alone is left


@pytest.mark.parametrize("given", [(), ("--extractor-weights", "weights.pth")])
def test_a_reference_of_other_weights_is_refused(evaluate, models, make_reference, folder, given):
    """Whichever of the two has weights of its own."""
    (folder / "weights.pth").write_bytes(b"other")
    own = ("--extractor-weights", "weights.pth")
    make_reference("--output", "other.safetensors", *(() if given else own))
    assert evaluate(models[0], "--reference", "other.safetensors", *given) == 2


def test_without_a_reference_the_command_that_makes_it_is_named(
    evaluate, save_checkpoint, folder, capsys
):
    save_checkpoint(folder / "model.safetensors")
    assert evaluate("model.safetensors") == 2
    captured = capsys.readouterr()
    assert "python -m training reference --data folder:Photos --resolution 64" in captured.err
    assert captured.out == ""


def test_the_command_named_makes_the_missing_reference(evaluate, tiny_extractor, folder, capsys):
    """For a grey model of a crop whose data has a name with a space; copied, it works."""
    (folder / "Photos").rename(folder / "My photos")
    options = DatasetOptions(32, 1, crop=(8, 0, 40, 32), max_images=30)
    dataset = load_dataset("folder:My photos", options, progress=False)
    command = (
        "python -m training train --data 'folder:My photos' --crop 8,0,40,32 --max-images=30"
        " --name grey --resolution 32 --channels 1"
    )
    config = ModelConfig("dcgan", z_dim=8, width=2, img_channels=1, img_resolution=32)
    header = CheckpointHeader(config, dataset.describe(), {"command": command})
    save_generator(folder / "grey.safetensors", build_generator(config), header)
    assert evaluate("grey.safetensors", "--num-samples", "20") == 2
    words = shlex.split(capsys.readouterr().err.split("`")[1])
    assert words[:3] == ["python", "-m", "training"]
    assert main(words[3:]) == 0
    assert evaluate("grey.safetensors", "--num-samples", "20") == 0


@pytest.mark.parametrize("command", ["train --crop 'open", 7, "train --crop"])
def test_a_header_may_name_any_command(evaluate, save_checkpoint, folder, command, capsys):
    """What cannot be split into words, or ends early, leaves a shorter piece of advice."""
    save_checkpoint(folder / "model.safetensors")
    generator, header = evaluate_cli.load_generator(folder / "model.safetensors")
    header = dataclasses.replace(header, training={"command": command})
    save_generator(folder / "model.safetensors", generator, header)
    assert evaluate("model.safetensors") == 2
    assert "--data folder:Photos --resolution 64 --channels 3" in capsys.readouterr().err


def test_a_reference_of_another_resolution_is_refused(evaluate, models, make_reference, capsys):
    make_reference("--resolution", "32", "--output", "small.safetensors")
    assert evaluate(models[0], "--reference", "small.safetensors") == 2
    assert "makes images of 64 px" in capsys.readouterr().err


def test_a_reference_of_another_extractor_is_refused(evaluate, models, folder, capsys):
    path = next((folder / "checkpoints" / "references").iterdir())
    assert main(["evaluate", models[0], "--reference", str(path)]) == 2
    assert "made with the extractor tiny, expected efficientnet-lite0" in capsys.readouterr().err
