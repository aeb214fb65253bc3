"""A model with labels: samples, recipes and morphs, from the command line to the pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.__main__ import main
from explorer.label_reading import ReaderShelf, Reading, compare_rows
from explorer.labels import choose_rows
from explorer.library import CheckpointLibrary
from explorer.morphs import make_way
from explorer.paces import place_evenly
from explorer.recipe import Recipe, read_recipe
from explorer.replay import render_recipe, replay_recipe
from explorer.runs import RunLibrary
from explorer.sampler import Sampler
from explorer.ui.context import AppContext
from explorer.ui.morph import render_still
from tests.explorer.labelled import LAYOUT, save_labelled_model, save_untrained_reader
from training.checkpoint import load_header
from training.errors import ConfigError
from training.metrics.reader_files import load_reader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the checkpoint faces."""
    save_labelled_model(tmp_path)
    return tmp_path


@pytest.fixture
def sampler(folder: Path) -> Sampler:
    return Sampler(CheckpointLibrary(folder))


def test_labels_are_part_of_the_checkpoint(folder: Path) -> None:
    assert load_header(folder / "faces.safetensors").model.labels == LAYOUT


def test_labels_that_are_not_given_are_those_of_the_seed(sampler: Sampler) -> None:
    drawn = sampler.sample_seeds("faces", [5, 6])
    given = sampler.sample_images(
        "faces", sampler.make_latents("faces", [5, 6]), LAYOUT.encode(LAYOUT.draw([5, 6]).double())
    )
    np.testing.assert_array_equal(drawn, given)
    other = sampler.sample_seeds("faces", [5], labels=sampler.make_labels("faces", [5], {"age": 1}))
    assert not np.array_equal(other[0], drawn[0])


def test_a_batch_makes_the_bytes_of_single_images(sampler: Sampler) -> None:
    together = sampler.sample_seeds("faces", range(9))
    for seed in (0, 4, 8):
        np.testing.assert_array_equal(sampler.sample_seeds("faces", [seed])[0], together[seed])


def test_labels_are_checked_before_anything_is_computed(sampler: Sampler) -> None:
    latents = sampler.make_latents("faces", [1])
    with pytest.raises(ConfigError, match=r"needs labels \(hair, age\) for each of 1 images"):
        sampler.sample_images("faces", latents)
    with pytest.raises(ConfigError, match=r"vectors of shape \(1, 3\), found shape \(1, 2\)"):
        sampler.iter_images("faces", latents, torch.tensor([[1.0, 20.0]]))
    with pytest.raises(ConfigError, match="entries of the label hair are not shares of a whole"):
        sampler.iter_images("faces", latents, torch.tensor([[0.5, 0.6, 0.0]]))
    with pytest.raises(ConfigError, match="entry of the label age is out of range"):
        sampler.iter_images("faces", latents, torch.tensor([[1.0, 0.0, 1.5]]))
    with pytest.raises(ConfigError, match="hair is 2: expected the number of one of its values"):
        sampler.encode_labels("faces", [[2.0, 1.0]])
    with pytest.raises(ConfigError, match="1 label values were given, expected 2"):
        sampler.encode_labels("faces", [[1.0]])


def test_labels_go_straight_from_stop_to_stop(sampler: Sampler) -> None:
    """Numbers grow, and one class fades into the other."""
    options = {"num_frames": 5, "labels": ((0.0, 20.0), (1.0, 20.0), (1.0, 80.0))}
    checkpoint = sampler.library.get_fingerprint("faces")
    recipe = Recipe("interpolation", "faces", checkpoint, (3, 3, 3), **options)  # type: ignore[arg-type]
    _, vectors = make_way(recipe, sampler).follow(place_evenly(5, 3))
    assert vectors is not None
    expected = [[1, 0, -0.6], [0.5, 0.5, -0.6], [0, 1, -0.6], [0, 1, 0], [0, 1, 0.6]]
    np.testing.assert_allclose(vectors.numpy(), expected, atol=1e-12)
    frames = render_recipe(recipe, sampler)
    assert len(np.unique(frames.reshape(5, -1), axis=0)) == 5
    alone = sampler.sample_seeds("faces", [3], labels=torch.tensor([[1.0, 20.0]]))
    np.testing.assert_array_equal(frames[2], alone[0])


def test_a_morph_without_labels_keeps_those_of_its_first_seed(sampler: Sampler) -> None:
    recipe = Recipe("interpolation", "faces", "", (3, 4), num_frames=3)
    _, vectors = make_way(recipe, sampler).follow(place_evenly(3, 2))
    assert vectors is not None
    wanted = LAYOUT.encode(LAYOUT.draw([3]).double()).expand(3, -1)
    np.testing.assert_array_equal(vectors.numpy(), wanted.numpy())


def run(folder: Path, *arguments: str) -> int:
    return main([*arguments, "--checkpoints", str(folder), "--device", "cpu"])


def test_labels_on_the_command_line_are_in_the_recipe(
    folder: Path, sampler: Sampler, tmp_path: Path
) -> None:
    path = tmp_path / "heads.png"
    command = ("sample", "faces", "--seeds", "1-3", "--labels", "hair=long, age=30")
    assert run(folder, *command, "--output", str(path)) == 0
    recipe = read_recipe(path)
    assert recipe.labels == ((1.0, 30.0),) * 3
    images = sampler.sample_seeds("faces", [1, 2, 3], labels=torch.tensor(recipe.labels))
    grid = replay_recipe(recipe, sampler)[0]
    np.testing.assert_array_equal(grid[:32, :32], images[0])


def test_a_sweep_on_the_command_line(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "older.gif"
    ends = ("--labels", "hair=short,age=10", "--to-labels", "age=90")
    command = ("interpolate", "faces", "--from", "4", "--to", "4", "--frames", "4", *ends)
    assert run(folder, *command, "--size", "32", "--output", str(path)) == 0
    assert read_recipe(path).labels == ((0.0, 10.0), (0.0, 90.0))


def test_labels_change_on_the_way_to_the_last_seed(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "older.gif"
    ends = ("--labels", "hair=short,age=10", "--to-labels", "age=90")
    command = ("interpolate", "faces", "--from", "4", "--through", "6-7", "--to", "5", *ends)
    assert run(folder, *command, "--size", "32", "--frames", "4", "--output", str(path)) == 0
    recipe = read_recipe(path)
    assert recipe.seeds == (4, 6, 7, 5)
    assert recipe.labels == ((0.0, 10.0),) * 3 + ((0.0, 90.0),)


def test_all_values_go_across_on_the_command_line(
    folder: Path, sampler: Sampler, tmp_path: Path
) -> None:
    path = tmp_path / "sheet.png"
    command = ("sample", "faces", "--seeds", "5,9", "--across", "hair", "--labels", "age=30")
    assert run(folder, *command, "--output", str(path)) == 0
    recipe = read_recipe(path)
    assert recipe.seeds == (5, 5, 9, 9)
    assert recipe.labels == ((0.0, 30.0), (1.0, 30.0)) * 2
    assert recipe.columns == 2
    sheet = replay_recipe(recipe, sampler)[0]
    last = sampler.sample_seeds("faces", [9], labels=torch.tensor([[1.0, 30.0]]))[0]
    np.testing.assert_array_equal(sheet[34:, 34:], last)


def test_a_sweep_holds_the_seed_and_all_other_labels(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "older.gif"
    command = ("interpolate", "faces", "--from", "4", "--sweep", "age", "--frames", "4")
    assert run(folder, *command, "--size", "32", "--output", str(path)) == 0
    recipe = read_recipe(path)
    assert recipe.seeds == (4, 4)
    hair = float(LAYOUT.draw([4])[0, 0])
    # The middle nine tenths of ages whose median is 40: 0.05 is 4, 0.95 is 94.
    assert recipe.labels == ((hair, 4.0), (hair, 94.0))


def test_a_sweep_leaves_no_other_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("interpolate", "faces", "--sweep", "age", "--to-labels", "age=9")
    assert run(folder, *command) == 2
    assert "A sweep of age goes through all its values" in capsys.readouterr().err
    assert run(folder, "interpolate", "faces", "--sweep", "age", "--through", "5") == 2
    assert "A sweep of age stays at one seed" in capsys.readouterr().err
    assert run(folder, "sample", "faces", "--across", "beard") == 2
    assert "There is no label 'beard': the model's labels are hair, age" in capsys.readouterr().err


def test_what_was_read_stands_beside_what_was_asked() -> None:
    found = compare_rows(LAYOUT, (1.0, 30.0), (0.0, 33.26))
    assert found == [
        Reading("hair", "long", "short", False),
        Reading("age", "30", "33.26", None),
    ]
    assert compare_rows(LAYOUT, (1.0, 30.0), (1.0, 30.0))[0].is_right is True


def test_images_are_read_by_the_reader_of_what_the_model_learned(
    folder: Path, sampler: Sampler
) -> None:
    path = save_untrained_reader(folder)
    rows = choose_rows(sampler, "faces", range(6), {})
    images = sampler.sample_seeds("faces", range(6))
    found = ReaderShelf(sampler.library).read("faces", images, rows)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    with torch.inference_mode():
        read = load_reader(path).read(pixels)
    hairs = LAYOUT.labels[0]
    for row, one, (hair, age) in zip(rows, read, found, strict=True):
        assert (hair.asked, hair.read) == (hairs.format(row[0]), hairs.format(one[0]))
        assert hair.is_right == (row[0] == one[0])
        assert (age.asked, age.read) == (f"{row[1]:.4g}", f"{one[1]:.4g}")


def test_a_model_whose_labels_nobody_learned_to_read_says_so(folder: Path) -> None:
    shelf = ReaderShelf(CheckpointLibrary(folder))
    with pytest.raises(ConfigError, match=r"No reader of Toy .*python -m training reader"):
        shelf.get("faces")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("beard=1", "There is no label 'beard': the model's labels are hair, age"),
        ("age=200", "age is 200: expected 0 to 100"),
        ("hair=1", "hair is '1': choose one of short, long"),
    ],
)
def test_wrong_labels_are_one_sentence(
    folder: Path, labels: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "sample", "faces", "--labels", labels) == 2
    assert reason in capsys.readouterr().err


def test_the_frame_at_rest_is_the_frame_of_the_animation(folder: Path, tmp_path: Path) -> None:
    library = CheckpointLibrary(folder)
    context = AppContext(library, Sampler(library), tmp_path, RunLibrary(tmp_path))
    ends = ((1.0, 20.0), (1.0, 80.0))
    sweep = ((0.0, 20.0), (1.0, 20.0), (0.0, 80.0))
    for seeds, labels in (((3, 4), ()), ((3, 4), ends), ((3, 3, 3), sweep)):
        checkpoint = context.library.get_fingerprint("faces")
        recipe = Recipe("interpolation", "faces", checkpoint, seeds, num_frames=5, labels=labels)
        frames = render_recipe(recipe, context.sampler)
        for t, frame in ((0.0, frames[0]), (0.25, frames[1]), (0.5, frames[2]), (1.0, frames[4])):
            np.testing.assert_array_equal(
                render_still(context, replace(recipe, kind="frame", t=t)), frame
            )


def test_fewer_frames_than_stops_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 frames are fewer than the 3 images"):
        Recipe("interpolation", "faces", "", (3, 3, 3), num_frames=2)
