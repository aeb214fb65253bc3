"""Options, names and the list of data sets."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from training.datasets import DATASETS, DatasetOptions, ImageDataset, LabelColumn, load_dataset
from training.datasets.cli import (
    add_dataset_arguments,
    add_datasets_parser,
    format_dataset,
    get_dataset_options,
    list_datasets,
    parse_crop,
)
from training.errors import DatasetError


@pytest.fixture
def run(tmp_path, capsys):
    """Run `datasets` with arguments and return what it prints."""

    def run(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        add_datasets_parser(parser.add_subparsers())
        args = parser.parse_args(["datasets", "--cache-dir", str(tmp_path / "cache"), *arguments])
        assert args.run(args) == 0
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("key", DATASETS)
def test_every_data_set_is_listed(key, run):
    source = DATASETS[key]
    header, *lines = run().splitlines()
    line = next(line for line in lines if line.split()[0] == key + source.argument)
    places = [header.index(name) for name in ("TITLE", "SIZE", "LICENCE", "HERE")]
    texts = (source.title, source.size, source.terms)
    for place, text in zip(places, texts, strict=False):
        assert line[place - 2 : place + len(text)] == f"  {text}"
    expected = {"avatars": "built in", "folder": "give a path"}.get(key, "needs download")
    assert line[places[-1] :] == expected
    assert source.key == key


def test_drawn_avatars_are_listed_as_cached(make_options):
    options = make_options(max_images=2)
    load_dataset("avatars", options, progress=False)
    rows = {row[0]: row[-1] for row in list_datasets(options)}
    assert rows["avatars[:STYLE]"] == "built in, cached"


def test_one_data_set_is_described(run):
    text = run("avatars", "--max-images", "3", "--resolution", "16", "--channels", "1")
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    facts = {name: value for name, value in lines if name != "label:"}
    assert facts["name:"] == "avatars:toon-head"
    assert facts["images:"] == "3 of 16x16x1"
    assert ["label:", "hair, 4 values: bun, sideComed, spiky, undercut"] in lines


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ("abcdefgh", "8 values: a, b, c, d, e, f, g, h"),
        ("abcdefghi", "9 values: a, b, c, d, e, f, g, h, ..."),
        ((*"abcdefgh", "unknown"), "9 values: a, b, c, d, e, f, g, h, ..., unknown"),
        (("a", "unknown"), "2 values: a, unknown"),
    ],
)
def test_that_images_have_no_value_is_always_shown(values, shown):
    """Of many values the first eight are shown, and "unknown" though it is the last."""
    images = np.zeros((1, 1, 8, 8), np.uint8)
    columns = (LabelColumn("age", tuple(values)),)
    dataset = ImageDataset("a", "A", "any", images, "f", np.zeros((1, 1), np.int64), columns)
    lines = [line.split(maxsplit=1) for line in format_dataset(dataset).splitlines()]
    assert ["label:", f"age, {shown}"] in lines


def test_arguments_become_options():
    parser = argparse.ArgumentParser()
    add_dataset_arguments(parser)
    assert get_dataset_options(parser.parse_args([])) == DatasetOptions()
    text = "--resolution 32 --channels 1 --crop 0,10,89,99 --data-root d --cache-dir c"
    args = parser.parse_args(
        [*text.split(), "--max-images", "7", "--title", "Us", "--terms", "CC0"]
    )
    assert get_dataset_options(args) == DatasetOptions(
        32, 1, (0, 10, 89, 99), Path("d"), Path("c"), 7, "Us", "CC0"
    )


def test_the_home_folder_may_be_short(monkeypatch, tmp_path, capsys):
    """A shell expands ~ after a space, and not after an equals sign."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    parser = argparse.ArgumentParser()
    add_dataset_arguments(parser)
    args = parser.parse_args(["--cache-dir=~/x", "--data-root=~"])
    assert (args.cache_dir, args.data_root) == (tmp_path / "x", tmp_path)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--cache-dir=~nobody-has-this-name/x"])
    assert "no such home folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "not four whole numbers"),
        ("1,2,3,x", "not four whole numbers"),
        ("0,0,0,8", "no box"),
        ("-1,0,7,8", "no box"),
        ("0,0,8,9", "8 wide and 9 high"),
    ],
)
def test_wrong_crop_says_what_is_expected(text, message, capsys):
    parser = argparse.ArgumentParser()
    add_dataset_arguments(parser)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args([f"--crop={text}"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "argument --crop" in error
    assert message in error


def test_crop_is_parsed():
    assert parse_crop("0, 10, 89, 99") == (0, 10, 89, 99)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 7}, "8 to 1024"),
        ({"resolution": 1025}, "8 to 1024"),
        ({"channels": 2}, "3 .* or 1"),
        ({"max_images": 0}, "at least 1"),
        ({"crop": (5, 0, 5, 8)}, "no box"),
    ],
)
def test_options_out_of_range_are_refused(change, message):
    with pytest.raises(DatasetError, match=message):
        DatasetOptions(**change)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("celebb", "no data set 'celebb': choose one of avatars, folder, mnist"),
        ("mnist:7", "mnist takes nothing after its name"),
        ("folder", "write folder:PATH"),
        ("folder:", "write folder:PATH"),
        ("", "choose one of"),
    ],
)
def test_unknown_names_are_refused(name, message, make_options):
    with pytest.raises(DatasetError, match=message):
        load_dataset(name, make_options(), progress=False)
