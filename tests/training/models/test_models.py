"""Networks: the thesis's parameter counts, shapes and ranges of every registered model."""

import pytest
import torch
from torch import nn

from training.errors import ConfigError
from training.labels import ClassLabel, LabelLayout, NumberLabel
from training.models import (
    CRITIC_NORMS,
    MODELS,
    ModelConfig,
    build_discriminator,
    build_generator,
)
from training.models.outline import build_outlines
from training.models.summary import (
    count_model_parameters,
    count_parameters,
    summarize_layers,
    summarize_model,
)

# Shadab 2022, figures 4.10 and 4.11: generator, discriminator.
THESIS_COUNTS = {
    "sgan": (6_486_848, 3_187_201),
    "dcgan": (3_576_704, 2_766_657),
    "wgan_gp": (3_576_704, 2_766_657),
}
SMALL = {"z_dim": 8, "width": 4, "img_resolution": 32}


LABELS = LabelLayout(
    (ClassLabel("hair", ("short", "long"), (0.5, 0.5)), NumberLabel("age", (0.0, 100.0)))
)


def make_config(model, **options):
    spec = MODELS[model]
    options = {"labels": LABELS, **options} if spec.has_labels else options
    return ModelConfig(model, **{"z_dim": spec.defaults.z_dim, **options})


@pytest.mark.parametrize("model", THESIS_COUNTS)
@pytest.mark.parametrize("critic_norm", ["batch", "layer"])
def test_parameters_are_those_of_the_thesis(model, critic_norm):
    config = make_config(model, critic_norm=critic_norm)
    counts = (
        count_parameters(build_generator(config)),
        count_parameters(build_discriminator(config)),
    )
    assert counts == THESIS_COUNTS[model]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("resolution", [32, 64, 128, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_range(model, resolution, channels):
    config = make_config(model, width=4, img_resolution=resolution, img_channels=channels)
    generator = build_generator(config)
    with torch.no_grad():
        images = generator(100 * torch.randn(2, config.z_dim), config.labels.draw([0, 1]))
        logits = build_discriminator(config)(images)
    assert images.shape == (2, channels, resolution, resolution)
    assert images.min() >= -1
    assert images.max() <= 1
    assert logits.shape == (2,)
    facts = (generator.z_dim, len(generator.labels), generator.img_channels)
    assert facts == (config.z_dim, len(config.labels), channels)
    assert generator.img_resolution == resolution


def test_stages_double_in_width_up_to_eight_times():
    channels = {}
    for resolution in (32, 64, 256):
        generator = build_generator(ModelConfig("dcgan", 10, 2, 3, resolution))
        convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
        channels[resolution] = [m.out_channels for m in convolutions]
    assert channels[32] == [8, 4, 2, 3]
    assert channels[64] == [16, 8, 4, 2, 3]
    assert channels[256] == [16, 16, 16, 8, 4, 2, 3]


def test_sgan_reaches_both_ends_of_the_range():
    generator = build_generator(make_config("sgan", width=2, img_resolution=32)).eval()
    last = [m for m in generator.modules() if isinstance(m, nn.Linear)][-1]
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, -40.0)
    nn.init.constant_(last.bias[: len(last.bias) // 2], 40.0)
    image = generator(torch.zeros(1, 128)).flatten()
    half = len(image) // 2
    assert torch.equal(image[:half], torch.ones(half))
    assert torch.equal(image[half:], -torch.ones(half))


def test_weights_start_as_radford_et_al_say():
    torch.manual_seed(0)
    generator = build_generator(make_config("dcgan"))
    convolution = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)][1]
    norm = next(m for m in generator.modules() if isinstance(m, nn.BatchNorm2d))
    # 2 million draws: the standard error of the deviation is 0.02 / sqrt(2 n) = 1e-5.
    assert convolution.weight.std().item() == pytest.approx(0.02, abs=5e-5)
    assert convolution.weight.mean().item() == pytest.approx(0.0, abs=7e-5)
    assert norm.weight.mean().item() == pytest.approx(1.0, abs=0.005)
    assert norm.bias.abs().max() == 0


def test_critic_norm_layer_does_not_mix_samples():
    torch.manual_seed(0)
    images = torch.randn(4, 3, 32, 32)
    for critic_norm, is_mixed in (("layer", False), ("batch", True)):
        critic = build_discriminator(
            ModelConfig("wgan_gp", 8, 4, 3, 32, critic_norm=critic_norm)
        ).train()
        together, alone = critic(images)[:2], critic(images[:2])
        assert torch.allclose(together, alone, atol=1e-6) is not is_mixed


@pytest.mark.parametrize("model", MODELS)
def test_spectral_normalisation_makes_the_largest_singular_value_one(model):
    torch.manual_seed(0)
    discriminator = build_discriminator(make_config(model, **SMALL, critic_norm="spectral"))
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    layers = [layer for layer in layers if nn.utils.parametrize.is_parametrized(layer)]
    assert len(layers) == (5 if model == "label_gan" else 4)
    for _ in range(30):  # a power iteration each
        discriminator(torch.randn(4, 3, 32, 32))
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert largest.item() == pytest.approx(1.0, abs=0.01)
    norms = [m for m in discriminator.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]
    assert not norms


def test_no_normalisation_leaves_convolutions_alone():
    discriminator = build_discriminator(ModelConfig("dcgan", **SMALL, critic_norm="none"))
    kinds = {type(layer).__name__ for layer in discriminator.layers}
    assert kinds == {"StridedConv2d", "Conv2d", "LeakyReLU"}


@pytest.mark.parametrize("model", MODELS)
def test_features_are_what_the_last_layer_judges(model):
    torch.manual_seed(0)
    discriminator = build_discriminator(make_config(model, **SMALL)).eval()
    images = torch.randn(2, 3, 32, 32)
    features = discriminator.extract_features(images)
    shapes = {"sgan": (4,), "label_gan": (32, 2, 2)}
    assert features.shape[1:] == shapes.get(model, (16, 4, 4))
    logits = discriminator.layers[-1](features).flatten()
    assert torch.equal(discriminator(images), logits)
    assert torch.equal(discriminator.judge(features), logits)


def test_a_generator_does_not_depend_on_what_concerns_the_discriminator():
    plain = build_generator(ModelConfig("dcgan", **SMALL))
    options = {"critic_norm": "spectral", "has_minibatch_stddev": True}
    other = build_generator(ModelConfig("dcgan", **SMALL, **options))
    assert plain.state_dict().keys() == other.state_dict().keys()
    other.load_state_dict(plain.state_dict())


def test_model_options_of_older_versions_are_read():
    values = {"model": "dcgan", "z_dim": 8, "critic_norm": "layer", "num_classes": 0}
    config = ModelConfig.from_dict(values)
    assert (config.has_minibatch_stddev, config.has_self_attention) == (False, False)


def test_layer_table_shows_normalised_weights_and_attention_as_layers():
    options = {"critic_norm": "spectral", "has_self_attention": True, "has_minibatch_stddev": True}
    tables = summarize_model(ModelConfig("dcgan", 8, 4, 3, 64, **options))
    config = ModelConfig("dcgan", 8, 4, 3, 64, **options)
    for name, build in (("generator", build_generator), ("discriminator", build_discriminator)):
        total = sum(row.num_parameters for row in tables[name])
        assert total == count_parameters(build(config))
    kinds = [row.kind for row in tables["discriminator"]]
    assert kinds[:3] == ["StridedConv2d", "LeakyReLU", "SelfAttention"]
    assert kinds[-2:] == ["MinibatchStddev", "Conv2d"]
    assert tables["discriminator"][0].output_shape == (4, 32, 32)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"img_resolution": 48}, "cannot make 48-pixel images: choose a resolution out of 32, 64"),
        ({"img_channels": 4}, "img_channels is 4: expected 1"),
        ({"width": 0}, "width is 0: expected a whole number from 1 to 512"),
        ({"z_dim": True}, "z_dim is True"),
        ({"critic_norm": "instance"}, "expected one of batch, layer, spectral, none"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make_config("dcgan", **options)


def test_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="Unknown model 'stylegan': choose one of sgan, dcgan"):
        build_generator(ModelConfig("stylegan", 10))


def test_layer_table_adds_up_and_has_the_thesis_shapes():
    tables = summarize_model(make_config("dcgan"))
    generator = tables["generator"]
    assert sum(row.num_parameters for row in generator) == 3_576_704
    assert sum(row.num_parameters for row in tables["discriminator"]) == 2_766_657
    convolutions = [row for row in generator if "ConvTranspose2d" in row.kind]
    assert [row.output_shape for row in convolutions] == [
        (512, 4, 4),
        (256, 8, 8),
        (128, 16, 16),
        (64, 32, 32),
        (3, 64, 64),
    ]
    assert convolutions[0].num_parameters == 100 * 512 * 16
    assert tables["discriminator"][-1].output_shape == (1, 1, 1)


def test_summary_leaves_the_network_as_it_was():
    generator = build_generator(make_config("dcgan", width=2, img_resolution=32)).train()
    before = generator.layers[1].running_mean.clone()
    summarize_layers(generator, torch.randn(3, 100))
    assert generator.training
    assert torch.equal(generator.layers[1].running_mean, before)
    assert not generator.layers[0]._forward_hooks


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("critic_norm", CRITIC_NORMS)
def test_outlines_have_the_names_shapes_and_types_of_the_networks(model, critic_norm):
    """Nothing of them is in memory, and nothing is drawn from the global generator."""
    config = make_config(model, width=4, critic_norm=critic_norm)
    state = torch.get_rng_state()
    for build in (build_generator, build_discriminator):
        with build_outlines():
            outline = build(config).state_dict()
        assert {tensor.device.type for tensor in outline.values()} == {"meta"}
        torch.testing.assert_close(torch.get_rng_state(), state, rtol=0, atol=0)
        with torch.random.fork_rng():
            whole = build(config).state_dict()
        assert [(name, tensor.shape, tensor.dtype) for name, tensor in outline.items()] == [
            (name, tensor.shape, tensor.dtype) for name, tensor in whole.items()
        ]


@pytest.mark.parametrize("model", THESIS_COUNTS)
@pytest.mark.parametrize("critic_norm", ["batch", "layer"])
def test_parameters_are_counted_without_memory(model, critic_norm):
    """Of both networks, as the thesis counts them."""
    config = make_config(model, critic_norm=critic_norm)
    assert count_model_parameters(config) == sum(THESIS_COUNTS[model])


def test_normalised_weights_are_counted_once():
    """Spectral normalisation adds no parameters, as the network itself says."""
    config = make_config("dcgan", width=4, critic_norm="spectral")
    networks = build_generator(config), build_discriminator(config)
    assert count_model_parameters(config) == sum(map(count_parameters, networks))
