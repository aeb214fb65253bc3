"""Training options: defaults of the papers, ranges, presets."""

import dataclasses
import re

import pytest

from training.config import TrainConfig
from training.errors import ConfigError
from training.labels import NO_LABELS
from training.models import MODELS
from training.presets import PRESETS, get_preset
from training.techniques import TechniqueOptions, describe_techniques
from training.train_setup import ANY_LABELS


def make_config(model="dcgan", **options):
    return TrainConfig(model, "avatars", "a-run", **options)


@pytest.mark.parametrize(
    ("model", "published"),
    [
        ("sgan", (128, 2e-4, 2e-4, 0.5, 0.999, 1, 0.0, "none")),
        ("dcgan", (100, 2e-4, 2e-4, 0.5, 0.999, 1, 0.0, "batch", "non_saturating", "adam", 0)),
        ("wgan", (100, 5e-5, 5e-5, 0.0, 0.99, 5, 0.0, "batch", "wasserstein", "rmsprop", 0.01)),
        ("wgan_gp", (100, 1e-4, 1e-4, 0.0, 0.9, 5, 10.0, "layer", "wasserstein")),
    ],
)
def test_model_decides_what_is_not_given(model, published):
    config = make_config(model).resolve()
    names = ("z_dim", "learning_rate_g", "learning_rate_d", "beta1", "beta2")
    names += ("critic_steps", "gp_weight", "critic_norm", "loss", "optimizer", "weight_clip")
    found = tuple(getattr(config, name) for name in names)
    assert found[: len(published)] == published


def test_given_options_win_over_the_model_s():
    config = make_config("wgan_gp", critic_steps=2, gp_weight=0.0, critic_norm="batch").resolve()
    assert (config.critic_steps, config.gp_weight, config.critic_norm) == (2, 0.0, "batch")
    assert config.resolve() == config


def test_an_optimizer_that_is_not_the_model_s_brings_its_own_betas():
    assert make_config("dcgan", optimizer="rmsprop").resolve().beta2 == 0.99
    config = make_config("wgan", optimizer="adam").resolve()
    assert (config.beta1, config.beta2) == (0.5, 0.999)
    assert make_config("dcgan", optimizer="rmsprop", beta2=0.9).resolve().beta2 == 0.9


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        ("wgan_gp", {"label_smoothing": 0.1}, "and the loss is wasserstein: choose --loss non_sat"),
        ("dcgan", {"label_smoothing": 0.1, "loss": "hinge"}, "and the loss is hinge"),
        ("wgan_gp", {"skip_discriminator_above": 0.8}, "tells real from fake at logit 0"),
        ("wgan", {"critic_norm": "spectral"}, "--weight-clip 0.01 has no effect on weights that"),
        ("wgan", {"beta1": 0.5}, "--beta1 is 0.5, and RMSprop has no first decay"),
        ("dcgan", {"lr_decay": 0.5, "minutes": 5.0}, "give --steps or --kimg instead of --minutes"),
        ("dcgan", {"grad_accum": 3}, "--grad-accum 3 does not divide --batch-size 64"),
        ("dcgan", {"grad_accum": 64}, "--grad-accum 64 leaves parts of one image"),
        ("dcgan", {"diff_augment": "color,flip"}, "--diff-augment names 'flip'"),
    ],
)
def test_techniques_that_contradict_each_other_are_refused(model, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make_config(model, **options).resolve()


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("wgan_gp", {"loss": "non_saturating", "label_smoothing": 0.1}),
        ("dcgan", {"loss": "hinge", "skip_discriminator_above": 0.8}),
        ("wgan", {"critic_norm": "spectral", "weight_clip": 0.0}),
        ("dcgan", {"lr_decay": 0.5, "kimg": 5.0}),
        ("dcgan", {"lr_decay": 0.5}),
        ("dcgan", {"grad_accum": 32, "diff_augment": "cutout,color"}),
    ],
)
def test_techniques_that_fit_are_taken(model, options):
    config = make_config(model, **options).resolve()
    assert {name: getattr(config, name) for name in options} == options


def test_attention_is_refused_before_images_are_read():
    with pytest.raises(ConfigError, match="no place in sgan"):
        make_config("sgan", has_self_attention=True).build_model_config(3, 64)
    with pytest.raises(ConfigError, match="networks for 32-pixel images lack"):
        make_config("dcgan", has_self_attention=True).build_model_config(3, 32)


def test_model_config_gets_the_architecture():
    options = {"critic_norm": "spectral", "has_minibatch_stddev": True, "has_self_attention": True}
    model = make_config("dcgan", **options).build_model_config(3, 64)
    assert {name: getattr(model, name) for name in options} == options


def test_the_thesis_preset_is_that_of_shadab():
    config = make_config("dcgan", **get_preset("thesis", "dcgan")).resolve()
    assert (config.width, config.batch_size, config.learning_rate_g) == (64, 128, 2e-4)
    assert (config.beta1, config.beta2, config.critic_norm) == (0.5, 0.999, "batch")
    config = make_config("wgan_gp", **get_preset("thesis", "wgan_gp")).resolve()
    assert (config.width, config.batch_size, config.learning_rate_d) == (64, 128, 1e-4)
    assert (config.beta1, config.beta2, config.critic_norm) == (0.0, 0.9, "batch")
    assert (config.critic_steps, config.gp_weight) == (5, 10.0)


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


def test_techniques_name_what_differs_and_its_paper():
    defaults = make_config("dcgan").resolve()
    assert describe_techniques(defaults.to_dict(), defaults) == ""
    options = {"label_smoothing": 0.1, "has_minibatch_stddev": True, "critic_norm": "layer"}
    values = make_config("dcgan", **options, width=8).resolve().to_dict()
    assert describe_techniques(values, defaults) == (
        "critic's normalisation layer; one-sided label smoothing 0.1 (Salimans et al. 2016); "
        "minibatch standard deviation (Karras et al. 2018)"
    )
    # What an older version did not know of was not used.
    assert describe_techniques({"gp_weight": 10.0, "loss": None}, defaults) == (
        "gradient penalty 10 (Gulrajani et al. 2017)"
    )


def test_every_technique_says_what_it_is():
    for item in dataclasses.fields(TechniqueOptions):
        assert item.metadata["term"]
        assert item.metadata["source"] in item.metadata["help"]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("model", MODELS)
def test_presets_are_valid_for_every_model(preset, model):
    options = get_preset(preset, model)
    config = make_config(model, **options).resolve()
    labels = ANY_LABELS if MODELS[model].has_labels else NO_LABELS
    model_config = config.build_model_config(3, 64, labels)
    assert model_config.width == options["width"]
    assert {field.name for field in dataclasses.fields(config)} > set(options)


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_makes_another_model_of_one(preset):
    def resolve(model):
        return make_config(model, **get_preset(preset, model)).resolve()

    wgan, wgan_gp, sgan = resolve("wgan"), resolve("wgan_gp"), resolve("sgan")
    assert (wgan.optimizer, wgan.weight_clip, wgan.gp_weight) == ("rmsprop", 0.01, 0.0)
    assert (wgan_gp.optimizer, wgan_gp.weight_clip, wgan_gp.gp_weight) == ("adam", 0.0, 10.0)
    assert (sgan.loss, sgan.critic_norm) == ("non_saturating", "none")


def test_a_model_without_an_entry_has_the_shared_part_of_a_preset():
    assert get_preset("best", "of a plug-in") == PRESETS["best"]


def test_fully_connected_networks_have_no_feature_maps_to_normalise():
    for norm in ("batch", "layer"):
        with pytest.raises(ConfigError, match=f"--critic-norm {norm} normalises feature maps"):
            make_config("sgan", critic_norm=norm).resolve()
    assert make_config("sgan", critic_norm="spectral").resolve().critic_norm == "spectral"


def test_a_model_can_have_values_of_its_own_in_a_preset():
    config = make_config("label_gan", **get_preset("thesis", "label_gan")).resolve()
    found = (config.critic_norm, config.critic_steps, config.gp_weight, config.predictor_layer)
    assert found == ("none", 3, 10.0, 2)  # Wachsmann 2017


def test_options_of_labels_are_for_models_that_take_some():
    for options in ({"labels": "hair"}, {"predictor_weight": 2.0}, {"has_projection": True}):
        with pytest.raises(ConfigError, match="dcgan takes no labels, and options of labels"):
            make_config("dcgan", **options).resolve()
    assert make_config("label_gan", labels="hair", has_projection=True).resolve().labels == "hair"


@pytest.mark.parametrize("model", MODELS)
def test_help_says_what_each_model_takes(model):
    defaults = MODELS[model].defaults
    expected = {
        "z_dim": defaults.z_dim,
        "beta1": defaults.betas[0],
        "beta2": defaults.betas[1],
        "learning_rate_g": defaults.learning_rate,
        "learning_rate_d": defaults.learning_rate,
        "critic_steps": defaults.critic_steps,
        "gp_weight": defaults.gp_weight,
        "weight_clip": defaults.weight_clip,
        "optimizer": defaults.optimizer,
        "score_every": defaults.score_every,
        "critic_norm": defaults.critic_norm,
    }
    texts = {item.name: item.metadata.get("help", "") for item in dataclasses.fields(TrainConfig)}
    for name, value in expected.items():
        (told,) = re.findall(r"\(([^()]*(?:wgan|sgan)[^()]*)\)", texts[name])
        first, *others = told.split("; ")
        of_model = {key: text for other in others for keys, text in [other.split(": ")]
                    for key in keys.split(", ")}  # fmt: skip
        found = of_model.get(model, first)
        assert (
            found == value if isinstance(value, str) else float(found.replace(",", "")) == value
        ), name
