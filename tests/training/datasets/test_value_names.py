"""Names for a label's values: parsed, given to a data set, and refused where they do not fit."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from training.config import TrainConfig
from training.datasets import DatasetOptions, ImageDataset, LabelColumn, load_dataset
from training.datasets.cli import add_dataset_arguments, get_dataset_options
from training.datasets.value_names import name_values, parse_value_names
from training.errors import DatasetError
from training.runs import RunFolder, RunOptions

COLUMNS = (LabelColumn("gender", ("0", "1")), LabelColumn("age", ("7", "30")))
LABELS = np.array([[0, 1], [1, 0]])


def make_dataset():
    return ImageDataset(
        "faces", "Faces", "any", np.zeros((2, 1, 8, 8), np.uint8), "f", LABELS, COLUMNS
    )


def test_names_are_parsed():
    assert parse_value_names("gender:0=male, 1=female") == (
        ("gender", "0", "male"),
        ("gender", "1", "female"),
    )


@pytest.mark.parametrize("text", ["", "gender", "gender:", ":0=male", "gender:0", "gender:0=a=b"])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(DatasetError, match="write them like gender:0=male,1=female"):
        parse_value_names(text)


def test_values_keep_their_order_and_images_their_labels():
    named = name_values(make_dataset(), parse_value_names("gender:1=female,0=male"))
    assert named.label_columns == (LabelColumn("gender", ("male", "female")), COLUMNS[1])
    assert named.labels is LABELS
    assert named.fingerprint == "f"


def test_names_may_change_places():
    named = name_values(make_dataset(), parse_value_names("gender:0=1,1=0"))
    assert named.label_columns[0].values == ("1", "0")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("beard:0=no", "faces has no label 'beard' .* its labels are gender, age"),
        ("gender:2=other", "gender has no value '2' to be named: it has 0, 1"),
        ("gender:0=1", "gender would be called 1, 1: give each"),
    ],
)
def test_names_that_do_not_fit_are_refused(text, reason):
    with pytest.raises(DatasetError, match=reason):
        name_values(make_dataset(), parse_value_names(text))


def test_a_loaded_data_set_has_the_names(tmp_path):
    names = (("hair", "bun", "knot"),)
    options = DatasetOptions(resolution=16, max_images=12, cache_dir=tmp_path, value_names=names)
    dataset = load_dataset("avatars", options, progress=False)
    (hair,) = [column for column in dataset.label_columns if column.name == "hair"]
    assert hair.values == ("knot", "sideComed", "spiky", "undercut")


def test_the_flag_comes_once_per_label():
    parser = argparse.ArgumentParser()
    add_dataset_arguments(parser)
    flags = ["--value-names", "gender:0=male", "--value-names", "race:1=Black"]
    options = get_dataset_options(parser.parse_args(flags))
    assert options.value_names == (("gender", "0", "male"), ("race", "1", "Black"))
    assert get_dataset_options(parser.parse_args([])).value_names == ()


def test_a_wrong_flag_says_how_it_is_written(capsys):
    parser = argparse.ArgumentParser()
    add_dataset_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--value-names", "gender"])
    assert "write them like gender:0=male,1=female" in capsys.readouterr().err


def test_a_run_remembers_them(tmp_path):
    options = DatasetOptions(value_names=(("gender", "0", "male"),))
    folder = RunFolder(tmp_path)
    config = TrainConfig("label_gan", "faces", "run")
    folder.save_options(RunOptions(config, options, Path("to"), "train"))
    assert folder.load_options().dataset == options


def test_runs_of_earlier_versions_have_none(tmp_path):
    folder = RunFolder(tmp_path)
    config = TrainConfig("label_gan", "faces", "run")
    folder.save_options(RunOptions(config, DatasetOptions(), Path("to"), "train"))
    values = json.loads(folder.options_path.read_text())
    del values["dataset"]["value_names"]
    folder.options_path.write_text(json.dumps(values))
    assert folder.load_options().dataset == DatasetOptions()
