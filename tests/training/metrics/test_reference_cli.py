"""The command `reference`, run as the command line runs it."""

import dataclasses

import numpy as np
import pytest
import torch

from training.metrics.extractors import EXTRACTORS
from training.metrics.frechet import compute_statistics
from training.metrics.reference import load_reference

DEFAULT = "checkpoints/references/folder-photos-64-tiny.safetensors"


def test_statistics_are_written_and_what_real_images_get_is_printed(
    make_reference, tiny_extractor, photos, folder, capsys
):
    assert make_reference() == 0
    reference = load_reference(folder / DEFAULT)
    features = tiny_extractor(torch.from_numpy(np.array(photos.images))).numpy()
    expected = compute_statistics(features)
    np.testing.assert_allclose(reference.statistics.covariance, expected.covariance)
    assert reference.dataset == photos.describe()
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert "folder:Photos: 40 of 40 images (all), extractor tiny" in captured.out
    assert f"        20  {dict(reference.noise_floor)[20]:.2f}" in lines
    titles = next(line for line in lines if "of real images against 20 others" in line)
    assert titles.split()[:6] == ["samples", "KID", "Precision", "Recall", "Density", "Coverage"]
    values = [f"{pairs[0][1]:z.4f}" for pairs in reference.real.baselines.values()]
    assert lines[lines.index(titles) + 1].split() == ["20", *values]
    assert DEFAULT in captured.out
    assert "40/40" in captured.err  # progress goes to stderr


def test_a_file_name_and_a_limit_are_taken(make_reference, folder, capsys):
    assert make_reference("--output", "mine.safetensors", "--reference-images", "8") == 0
    assert load_reference(folder / "mine.safetensors").statistics.num_samples == 8
    assert "8 of 40 images (chosen at random)" in capsys.readouterr().out


def test_a_reference_of_other_images_is_written_beside(make_reference, folder, photos, capsys):
    """Other pixels under the same name, as of another crop, get a name of their own."""
    assert make_reference() == 0
    before = (folder / DEFAULT).read_bytes()
    for _ in range(2):  # the same again has no third name
        assert make_reference("--max-images", "30") == 0
    assert (folder / DEFAULT).read_bytes() == before
    (other,) = set((folder / DEFAULT).parent.iterdir()) - {folder / DEFAULT}
    fingerprint = load_reference(other).dataset["fingerprint"]
    assert fingerprint != photos.fingerprint
    assert other.name == f"folder-photos-64-tiny-{fingerprint[:8]}.safetensors"
    assert other.name in capsys.readouterr().out


def test_fewer_images_replace_no_reference_of_more(make_reference, folder, capsys):
    """Unless its file is named; as many or more images replace it."""
    assert make_reference("--reference-images", "30") == 0
    capsys.readouterr()
    assert make_reference("--reference-images", "29") == 2
    error = capsys.readouterr().err
    assert "is of 30 of these images and is not replaced by one of 29" in error
    assert "real features" not in error  # said before minutes are spent
    assert load_reference(folder / DEFAULT).statistics.num_samples == 30
    assert make_reference() == 0
    assert load_reference(folder / DEFAULT).statistics.num_samples == 40
    assert make_reference("--reference-images", "29", "--output", DEFAULT) == 0
    assert load_reference(folder / DEFAULT).statistics.num_samples == 29


@pytest.mark.parametrize("output", ["Photos", "Photos/00.png/any.safetensors"])
def test_what_cannot_be_written_is_refused_before_the_images_are_measured(
    make_reference, folder, output, capsys
):
    """A folder, or a place below a file: one sentence, and no progress before it."""
    assert make_reference("--output", output) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Photos" in line
    assert not (folder / "cache").exists()


def test_what_is_no_reference_is_not_replaced(make_reference, folder):
    """A file of something else under the usual name stays as it is."""
    (folder / DEFAULT).parent.mkdir(parents=True)
    (folder / DEFAULT).write_text("mine")
    assert make_reference() == 0
    assert (folder / DEFAULT).read_text() == "mine"


def test_the_same_images_are_computed_once_and_others_anew(make_reference, folder, capsys):
    """The cache goes by content: progress shows what is computed."""
    for copy in ("first", "second"):
        assert make_reference("--output", f"{copy}.safetensors") == 0
        assert ("real features" in capsys.readouterr().err) == (copy == "first")
    assert (folder / "first.safetensors").read_bytes() == (
        folder / "second.safetensors"
    ).read_bytes()
    (folder / "Photos" / "00.png").unlink()
    assert make_reference("--output", "third.safetensors") == 0
    assert "39/39" in capsys.readouterr().err


def test_other_weights_are_not_looked_for_in_the_cache(make_reference, folder, capsys):
    make_reference()
    capsys.readouterr()
    (folder / "weights.pth").touch()
    assert make_reference("--extractor-weights", "weights.pth") == 0
    assert "40/40" in capsys.readouterr().err


def test_weights_that_can_only_be_the_usual_ones_are(make_reference, folder, monkeypatch, capsys):
    """Inception's are checked by their hash, so a file of them changes nothing."""
    assert EXTRACTORS["inception"].has_fixed_weights
    spec = dataclasses.replace(EXTRACTORS["tiny"], has_fixed_weights=True)
    monkeypatch.setitem(EXTRACTORS, "tiny", spec)
    make_reference()
    capsys.readouterr()
    assert make_reference("--extractor-weights", "weights.pth") == 0
    assert "real features" not in capsys.readouterr().err


def test_too_few_images_are_refused(make_reference, folder, capsys):
    assert make_reference("--max-images", "3") == 2
    assert "expected at least 4" in capsys.readouterr().err
