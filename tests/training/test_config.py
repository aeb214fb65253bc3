"""Training options: defaults of the papers, ranges, presets."""

import dataclasses

import pytest

from training.config import TrainConfig
from training.errors import ConfigError
from training.models import MODELS
from training.presets import PRESETS


def make_config(model="dcgan", **options):
    return TrainConfig(model, "avatars", "a-run", **options)


@pytest.mark.parametrize(
    ("model", "published"),
    [
        ("sgan", (128, 2e-4, 2e-4, 0.5, 0.999, 1, 0.0, "batch")),
        ("dcgan", (100, 2e-4, 2e-4, 0.5, 0.999, 1, 0.0, "batch")),
        ("wgan_gp", (100, 1e-4, 1e-4, 0.0, 0.9, 5, 10.0, "layer")),
    ],
)
def test_model_decides_what_is_not_given(model, published):
    config = make_config(model).resolve()
    names = ("z_dim", "learning_rate_g", "learning_rate_d", "beta1", "beta2")
    names += ("critic_steps", "gp_weight", "critic_norm")
    assert tuple(getattr(config, name) for name in names) == published


def test_given_options_win_over_the_model_s():
    config = make_config("wgan_gp", critic_steps=2, gp_weight=0.0, critic_norm="batch").resolve()
    assert (config.critic_steps, config.gp_weight, config.critic_norm) == (2, 0.0, "batch")
    assert config.resolve() == config


def test_steps_are_the_goal_unless_another_is_given():
    assert make_config().resolve().steps == 10_000
    assert make_config(minutes=3.0).resolve().steps is None
    with pytest.raises(ConfigError, match="choose one of --steps, --kimg, --minutes"):
        make_config(steps=5, kimg=1.0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch_size": 1}, "--batch-size is 1: expected 2 to 65536"),
        ({"ema_decay": 1.0}, "--ema-decay is 1.0: expected 0 to 0.99999"),
        ({"learning_rate_g": -1.0}, "--learning-rate-g is -1.0"),
        ({"learning_rate_d": float("nan")}, "--learning-rate-d is nan"),
        ({"precision": "fp8"}, "--precision is 'fp8': choose one of auto, bf16, fp32"),
        ({"steps": 0}, "--steps is 0: expected 1 to"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make_config(**options)


@pytest.mark.parametrize("name", ["", "a/b", "..\\x", "a:b", " a", "a\0", ".hidden", ".."])
def test_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(ConfigError, match="cannot be a file name"):
        TrainConfig("dcgan", "avatars", name)


def test_round_trip_through_plain_values():
    config = make_config("wgan_gp", minutes=2.5, is_mirrored=True).resolve()
    assert TrainConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ConfigError, match="unknown depth, missing name"):
        TrainConfig.from_dict({"model": "dcgan", "data": "mnist", "depth": 1})


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("model", MODELS)
def test_presets_are_valid_for_every_model(preset, model):
    config = make_config(model, **PRESETS[preset]).resolve()
    model_config = config.build_model_config(channels=3, resolution=64)
    assert model_config.width == PRESETS[preset]["width"]
    assert {field.name for field in dataclasses.fields(config)} > set(PRESETS[preset])
