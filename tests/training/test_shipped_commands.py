"""The commands on the cards of the models that come with the project still make such models."""

import dataclasses
import shlex
from pathlib import Path

import pytest

from training.__main__ import build_parser
from training.checkpoint import load_header
from training.train_setup import build_config

PATHS = sorted((Path(__file__).parents[2] / "checkpoints").glob("*.safetensors"))
# A header says when the training ended and on what; a resume changes goals and scores.
OF_THE_RUN = {"steps", "kimg", "minutes", "precision", "device", "score_every"}


def test_there_are_models():
    assert len(PATHS) >= 8


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_command_gives_the_options_that_the_model_was_trained_with(path):
    header = load_header(path)
    python, flag, package, *words = shlex.split(header.training["command"])
    assert (python, flag, package) == ("python", "-m", "training")
    config = build_config(build_parser().parse_args(words))
    options = {
        name: value
        for name, value in dataclasses.asdict(config).items()
        if name in header.training and name not in OF_THE_RUN
    }
    assert len(options) > 10
    assert options == {name: header.training[name] for name in options}
    assert (config.name, config.model) == (path.stem, header.model.model)
    assert (config.z_dim, config.width) == (header.model.z_dim, header.model.width)
