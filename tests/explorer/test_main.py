"""The command line, through its main function."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from explorer.__main__ import main
from explorer.comparison import DIFFERENT_DATA
from explorer.library import CheckpointLibrary
from explorer.recipe import read_recipe
from explorer.replay import render_recipe
from explorer.sampler import Sampler
from tests.explorer.conftest import SaveModel
from tests.explorer.test_comparison import EXTRACTOR, REFERENCE, STATISTICS, compute_expected
from training.checkpoint import load_generator, save_generator
from training.metrics.extractors import EXTRACTORS, ExtractorSpec
from training.metrics.reference import save_reference


def run(folder: Path, *arguments: str | Path) -> int:
    """Run a command on the CPU with the checkpoints of a folder."""
    texts = [str(argument) for argument in arguments]
    return main([*texts, "--checkpoints", str(folder), "--device", "cpu"])


def read_pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_sample_writes_a_grid(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "grid.png"
    options = ("--columns", "3", "--truncation", "0.8", "--size", "16", "--resize", "nearest")
    assert run(folder, "sample", "conv", "--seeds", "0-4,9", *options, "--output", path) == 0
    assert read_pixels(path).shape == (2 * 16 + 2, 3 * 16 + 2 * 2, 3)
    recipe = read_recipe(path)
    assert (recipe.kind, recipe.seeds, recipe.truncation) == ("grid", (0, 1, 2, 3, 4, 9), 0.8)
    assert (recipe.columns, recipe.size, recipe.resize) == (3, 16, "nearest")


def test_sample_of_one_seed_writes_the_image_itself(folder: Path, tmp_path: Path) -> None:
    assert run(folder, "sample", "conv", "--seeds", "5", "--output", tmp_path / "a.png") == 0
    expected = Sampler(CheckpointLibrary(folder)).sample_seeds("conv", [5])[0]
    assert np.array_equal(read_pixels(tmp_path / "a.png"), expected)


def test_interpolate_takes_path_truncation_and_resize(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    options = ("--method", "lerp", "--truncation", "0.5", "--resize", "nearest", "--frames", "4")
    options = (*options, "--pace", "eased")
    assert run(folder, "interpolate", "conv", *options, "--size", "64", "--output", path) == 0
    recipe = read_recipe(path)
    assert (recipe.method, recipe.truncation, recipe.resize) == ("lerp", 0.5, "nearest")
    assert (recipe.num_frames, recipe.size, recipe.pace) == (4, 64, "eased")


def test_interpolate_writes_an_animation_that_loops(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.gif"
    options = ("--from", "3", "--to", "4", "--frames", "6", "--ping-pong", "--hold", "0.5")
    assert run(folder, "interpolate", "conv", *options, "--size", "40", "--output", path) == 0
    with Image.open(path) as image:
        assert (image.size, image.info["loop"]) == ((40, 40), 0)
        delays = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
    assert delays == [500, 30, 30, 30, 30, 500, 30, 30, 30, 30]
    assert "10 frames, 33.33 per second" in capsys.readouterr().out


def test_a_way_through_seeds_rests_at_each_of_them(
    folder: Path, sampler: Sampler, tmp_path: Path
) -> None:
    """Four stops have three legs of two steps each: every second frame is a seed's own image.

    The last is the first again, and is not shown twice.
    """
    path = tmp_path / "a.gif"
    options = ("--from", "3", "--through", "9,1", "--to", "3", "--frames", "8", "--hold", "0.5")
    assert run(folder, "interpolate", "conv", *options, "--size", "0", "--output", path) == 0
    recipe = read_recipe(path)
    assert (recipe.seeds, recipe.num_frames) == ((3, 9, 1, 3), 7)
    frames = render_recipe(recipe, sampler)
    assert np.array_equal(frames[::2], sampler.sample_seeds("conv", [3, 9, 1]))
    with Image.open(path) as image:
        delays = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
    assert delays == [500, 30, 500, 30, 500, 30]


def test_one_image_of_a_way_is_written(folder: Path, sampler: Sampler, tmp_path: Path) -> None:
    options = ("--from", "3", "--through", "9", "--to", "1", "--at", "0.5", "--size", "0")
    assert run(folder, "interpolate", "conv", *options, "--output", tmp_path / "a.png") == 0
    assert np.array_equal(read_pixels(tmp_path / "a.png"), sampler.sample_seeds("conv", [9])[0])


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("sample", "linear", "--seeds", "1-3"), "a.png"),
        (("interpolate", "linear", "--at", "0.3"), "a.png"),
        *(
            (("interpolate", "linear", "--frames", "5", "--method", "lerp", "--size", "0"), name)
            for name in ("a.gif", "a.webp", "a.mp4", "a.apng", "a.zip")
        ),
    ],
)
def test_replay_writes_the_same_file(
    folder: Path, tmp_path: Path, command: tuple[str, ...], name: str
) -> None:
    path = tmp_path / name
    assert run(folder, *command, "--output", path) == 0
    assert run(folder, "replay", path) == 0
    again = path.with_stem("a-replay")
    assert again.read_bytes() == path.read_bytes()
    again.unlink()
    elsewhere = tmp_path / "new" / name
    assert run(folder, "replay", path, "--output", elsewhere) == 0
    assert elsewhere.read_bytes() == path.read_bytes()
    assert not again.exists()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("sample", "nobody"), "no model 'nobody'"),
        (("sample", "conv", "--seeds", "a"), "not a number"),
        (("sample", "conv", "--truncation", "2"), "Truncation 2.0 is out of range"),
        (("sample", "conv", "--labels", "hair=1"), "without labels"),
        (("sample", "conv", "--labels", "hair"), "write NAME=VALUE"),
        (("sample", "conv", "--labels", "a=1,b=2, a=1"), "have a twice: give one value"),
        (("sample", "conv", "--columns", "0"), "0 columns"),
        (("sample", "conv", "--size", "5"), "16 to 1024"),
        (("sample", "conv", "--output", "grid.jpg"), "ends in .png"),
        (("interpolate", "conv", "--frames", "1"), "2 to 600"),
        (("interpolate", "conv", "--fps", "60"), "1 to 50"),
        (("interpolate", "conv", "--hold", "11"), "choose 0 to 10"),
        (("interpolate", "conv", "--from", "-1"), "Seed -1 is out of range"),
        (("interpolate", "conv", "--through", "5;6"), "is not a number or range"),
        (("interpolate", "conv", "--through", "1-63"), "found 65, expected 2 to 64"),
        (("interpolate", "conv", "--at", "1.5"), "Position 1.5 is out of range: choose 0"),
        (("interpolate", "conv", "--at", "0.5", "--output", "a.gif"), "ends in .png"),
        (
            ("interpolate", "conv", "--output", "morph.avi"),
            "ends in .gif, .webp, .mp4, .apng, .zip",
        ),
        (("interpolate", "conv", "--output", "a.mp4", "--size", "33"), "choose a size of 34"),
        (("compare", "conv", "--num-samples", "1"), "16 to 50000"),
        (
            ("compare", "conv"),
            "`python -m training reference --data avatars:toon-head --resolution 32 --channels 3 "
            "--extractor efficientnet-lite0`, with the place",
        ),
        (("diagnose", "conv", "--num-samples", "63"), "reference --data avatars:toon-head"),
        (("diagnose", "conv", "grey", "linear"), "one, or two side by side"),
        (("diagnose", "nobody"), "no model 'nobody'"),
        (("replay", "nothing.png"), "no file nothing.png"),
    ],
)
def test_expected_failures_are_one_sentence_and_status_2(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run(folder, *command) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert reason in captured.err
    assert "Traceback" not in captured.err
    assert not [path for path in tmp_path.iterdir() if path.suffix]


def test_an_output_that_is_a_folder_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").mkdir()
    assert run(folder, "sample", "conv", "--seeds", "1", "--output", tmp_path / "a.png") == 2
    assert "is a folder: name the file in it" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_for_images_that_is_a_file_is_refused_before_the_work(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run(folder, "diagnose", "conv", "--images", tmp_path / "file") == 2
    captured = capsys.readouterr()
    # There is no reference for this model: with a folder, that is what is said.
    assert captured.err.startswith(f"error: {tmp_path / 'file'} cannot be written")
    assert captured.out == ""


def test_models_are_looked_into_where_no_cache_can_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = ExtractorSpec("colours", "FD-Colours", 3, lambda weights, device: EXTRACTOR)
    monkeypatch.setitem(EXTRACTORS, "colours", spec)  # a real one takes seconds
    save_reference(folder / "references" / "a.safetensors", REFERENCE)
    (folder / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "file"))
    assert run(folder, "compare", "conv", "--num-samples", "64", "--extractor", "colours") == 0
    assert "FD-Colours" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["{file}/a.png", "{folder}/" + 250 * "a" + ".png"])
def test_an_output_that_cannot_be_is_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    (tmp_path / "file").write_text("")
    output = place.format(file=tmp_path / "file", folder=tmp_path)
    assert run(folder, "sample", "conv", "--seeds", "1", "--output", output) == 2
    error = capsys.readouterr().err.split("\r")[-1]  # the last line, after a bar
    assert error.startswith("error: ")
    assert "cannot be written" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "file"]


@pytest.fixture
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register an extractor of mean colours: a real one takes seconds."""
    spec = ExtractorSpec("colours", "FD-Colours", 3, lambda weights, device: EXTRACTOR)
    monkeypatch.setitem(EXTRACTORS, "colours", spec)


@pytest.mark.usefixtures("_colours")
def test_compare_prints_a_table_best_first(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_reference(folder / "references" / "a.safetensors", REFERENCE)
    options = ("--num-samples", "100", "--extractor", "colours")
    assert run(folder, "compare", "conv", "linear", *options) == 0
    captured = capsys.readouterr()
    rows = [line.split() for line in captured.out.splitlines()]
    assert rows[0][:2] == ["model", "score"]
    assert {row[0] for row in rows[1:]} == {"conv", "linear"}
    assert float(rows[1][1]) < float(rows[2][1])
    assert {"FD-Colours", "100"} <= set(rows[1])
    assert "conv: FD-Colours" in captured.err
    assert DIFFERENT_DATA not in captured.out


def test_compare_groups_models_by_what_they_are_measured_against(
    folder: Path,
    save_model: SaveModel,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scores with one reference stand together, best first, whatever others score."""
    spec = ExtractorSpec("colours", "FD-Colours", 3, lambda weights, device: EXTRACTOR)
    monkeypatch.setitem(EXTRACTORS, "colours", spec)  # a real one takes seconds
    save_reference(folder / "references" / "a.safetensors", REFERENCE)
    other = {**REFERENCE.dataset, "title": "Other", "fingerprint": "0dd"}
    far = replace(REFERENCE.statistics, mean=REFERENCE.statistics.mean + 1000)
    save_reference(
        folder / "references" / "b.safetensors", replace(REFERENCE, dataset=other, statistics=far)
    )
    for name, seed in (("far-1", 3), ("far-2", 4)):
        path = save_model(folder, name, "conv", seed)
        generator, header = load_generator(path)
        save_generator(path, generator, replace(header, dataset=other))
    options = ("--num-samples", "100", "--extractor", "colours")
    assert run(folder, "compare", "far-1", "conv", "far-2", "linear", *options) == 0
    table, note = capsys.readouterr().out.rstrip().split("\n\n")
    assert note == DIFFERENT_DATA
    rows = [line.split() for line in table.splitlines()[1:]]
    assert {row[0] for row in rows[:2]} == {"far-1", "far-2"}  # named first, though they are worse
    scores = [float(row[1]) for row in rows]
    assert scores[0] <= scores[1]
    assert scores[2] <= scores[3] < scores[0]


@pytest.mark.usefixtures("_colours")
def test_compare_begins_with_its_seed_and_compares_with_its_reference(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_reference(folder / "references" / "a.safetensors", REFERENCE)
    statistics = replace(STATISTICS, mean=STATISTICS.mean + 30)
    save_reference(tmp_path / "other.safetensors", replace(REFERENCE, statistics=statistics))
    options = ("--num-samples", "100", "--extractor", "colours", "--seed", "50")
    other = ("--reference", str(tmp_path / "other.safetensors"))
    sampler = Sampler(CheckpointLibrary(folder))
    for reference, expected in (((), STATISTICS), (other, statistics)):
        assert run(folder, "compare", "conv", *options, *reference) == 0
        (row,) = (line.split() for line in capsys.readouterr().out.splitlines()[1:])
        score = compute_expected(sampler, "conv", range(50, 150), expected)
        assert float(row[1]) == pytest.approx(score, abs=0.006)


@pytest.mark.parametrize("command", ["sample", "interpolate", "compare", "diagnose", "replay"])
def test_help_names_ranges_and_defaults(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "folder with the checkpoints (checkpoints)" in text
    ranges = {
        "sample": ["0 to 4294967295", "16 to 1024 pixels", "(0-63)"],
        "interpolate": ["2 to 600 (60)", "1 to 50", "(slerp)", "(1.0)"],
        "compare": ["16 to 50000 (2048)"],
        "diagnose": ["64 to 50000 (1000)", "one or two names"],
        "replay": ["FILE-replay"],
    }
    for part in ranges[command]:
        assert part in text
