"""LabelGAN's networks: sizes for several label layouts, and where gradients go."""

from itertools import pairwise

import pytest
import torch

from training.errors import ConfigError
from training.labels import ClassLabel, LabelLayout, NumberLabel
from training.metrics.label_reader import ReaderNetwork
from training.models import ModelConfig, build_discriminator, build_generator
from training.models.summary import count_parameters, summarize_model

DIGIT = ClassLabel("digit", tuple("0123456789"), (0.1,) * 10)
AGE = NumberLabel("age", (0.0, 100.0))
LAYOUTS = {"class": LabelLayout((DIGIT,)), "number": LabelLayout((AGE,))}
LAYOUTS["both"] = LabelLayout((DIGIT, AGE))
WIDTH, Z_DIM = 4, 6


def make_config(layout="both", **options):
    small = {"z_dim": Z_DIM, "width": WIDTH, "img_resolution": 32, "critic_norm": "none"}
    return ModelConfig("label_gan", labels=LAYOUTS[layout], **{**small, **options})


def count_convolution(width_in, width_out, side, has_bias=True):
    return width_in * width_out * side**2 + (width_out if has_bias else 0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_generators_have_the_parameters_of_their_layers(layout):
    noise = (Z_DIM + 1) * 8 * 16
    block = 2 * (2 * WIDTH + count_convolution(WIDTH, WIDTH, 3, has_bias=False))
    first = count_convolution(3 + 8, WIDTH, 3, has_bias=False)
    last = count_convolution(WIDTH, 3, 3)
    deformation = (Z_DIM + LAYOUTS[layout].vector_size + 1) * 2 * 25
    generator = build_generator(make_config(layout))
    assert count_parameters(generator) == noise + first + 5 * block + last + deformation
    assert generator.templates.shape == (LAYOUTS[layout].basis_size, 3, 32, 32)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("layer", [0, 1, 2, 4])
def test_critics_have_the_parameters_of_their_layers(layout, layer):
    widths = [3, 4, 8, 16, 32]  # at 32, 16, 8, 4 and 2 pixels
    critic = sum(count_convolution(a, b, 4) for a, b in pairwise(widths))
    critic += count_convolution(32, 1, 2)
    inner = [widths[layer], 8, 8, 16, 16]
    predictor = sum(count_convolution(a, b, 3) for a, b in pairwise(inner))
    predictor += (16 * 4 + 1) * LAYOUTS[layout].vector_size  # the last maps have 2x2 pixels
    found = build_discriminator(make_config(layout, predictor_layer=layer))
    assert count_parameters(found) == critic + predictor
    rows = summarize_model(make_config(layout, predictor_layer=layer))["discriminator"]
    assert sum(row.num_parameters for row in rows) == critic + predictor


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_projection_has_a_vector_of_features_per_entry_of_the_labels(layout):
    plain, projecting = (
        count_parameters(build_discriminator(make_config(layout, has_projection=has)))
        for has in (False, True)
    )
    assert projecting - plain == 32 * LAYOUTS[layout].vector_size


@pytest.mark.parametrize("layout", LAYOUTS)
def test_parts_have_the_shapes_that_they_say(layout):
    config, size = make_config(layout), LAYOUTS[layout].vector_size
    generator, critic = build_generator(config), build_discriminator(config)
    images, told = torch.zeros(2, 3, 32, 32), torch.zeros(2, Z_DIM + size)
    with torch.no_grad():
        assert generator.deformation(images, told).shape == images.shape
        assert generator.mix_templates(torch.zeros(2, size)).shape == images.shape
        assert generator.blocks[0](torch.zeros(2, WIDTH, 32, 32)).shape == (2, WIDTH, 32, 32)
        assert generator(torch.zeros(2, Z_DIM), LAYOUTS[layout].draw([0, 1])).shape == images.shape
        assert critic.extract_features(images).shape == (2, 32, 2, 2)
        assert critic.predictor(torch.zeros(2, 8, 8, 8)).shape == (2, size)
        assert ReaderNetwork(3, 32, size)(images).shape == (2, size)
    # Convolutions to 32, 64, 128 and 128 maps, each with scale and shift; a layer of 4x4 maps.
    widths = [3, 32, 64, 128, 128]
    reader = sum(count_convolution(a, b, 3, has_bias=False) + 2 * b for a, b in pairwise(widths))
    assert count_parameters(ReaderNetwork(3, 32, size)) == reader + (128 * 16 + 1) * size


@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_depend_on_labels_and_vectors_have_their_size(layout):
    config = make_config(layout)
    generator, critic = build_generator(config).eval(), build_discriminator(config)
    torch.nn.init.normal_(generator.templates)
    rows = config.labels.draw([0, 1, 2, 3])
    with torch.no_grad():
        images = generator(torch.zeros(4, Z_DIM), rows)
        again = generator(torch.zeros(4, Z_DIM), rows.flip(0)).flip(0)
        logits, vectors = critic(images, rows, images)
    torch.testing.assert_close(images, again)
    assert not torch.allclose(images[0], images[1], atol=1e-4)
    assert (logits.shape, vectors.shape) == ((4,), (4, config.labels.vector_size))


def run_reading(is_moved, has_gradient, layer=2):
    """Let the predictor read images; return gradients of critic, predictor and images."""
    critic = build_discriminator(make_config(predictor_layer=layer))
    images = torch.randn(2, 3, 32, 32, requires_grad=has_gradient)
    critic.read(images, is_moved).square().sum().backward()
    body = [p.grad for layer in list(critic.layers) for p in layer.parameters()]
    return body, [p.grad for p in critic.predictor.parameters()], images.grad


def test_what_the_predictor_learns_does_not_move_the_critic_unless_asked():
    body, predictor, _ = run_reading(is_moved=False, has_gradient=False)
    assert all(gradient is None for gradient in body)
    assert all(gradient.abs().sum() > 0 for gradient in predictor)
    body, _, _ = run_reading(is_moved=True, has_gradient=False)
    moved = [gradient is not None for gradient in body]
    assert moved == [True] * 4 + [False] * 6  # weights and biases of the first two convolutions


@pytest.mark.parametrize("layer", [0, 2, 4])
def test_gradients_reach_images_through_predictor_and_critic(layer):
    _, _, images = run_reading(is_moved=False, has_gradient=True, layer=layer)
    assert (images.abs().sum(dim=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize("layer", [0, 2, 4])
def test_what_the_predictor_reads_reaches_the_generator_alone_if_it_alone_learns(layer):
    config = make_config(predictor_layer=layer)
    generator, critic = build_generator(config), build_discriminator(config).requires_grad_(False)
    torch.nn.init.normal_(generator.templates)
    rows = config.labels.draw(range(4))
    vectors = critic.read(generator(torch.randn(4, Z_DIM), rows))
    config.labels.compute_loss(vectors, rows).backward()
    assert all(weights.grad.abs().sum() > 0 for weights in generator.parameters())
    assert all(weights.grad is None for weights in critic.parameters())


def test_the_projection_adds_the_product_of_mean_features_and_the_labels_vector():
    critic = build_discriminator(make_config("class", has_projection=True))
    images = torch.randn(2, 3, 32, 32)
    rows = torch.tensor([[3.0], [7.0]])
    with torch.no_grad():
        features = critic.extract_features(images)
        found = critic(images, rows) - critic.judge(features, rows * 0)
        vectors = critic.projection.weight[:, [3, 7]].T - critic.projection.weight[:, 0]
        expected = (features.mean(dim=(2, 3)) * vectors).sum(dim=1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_wrong_labels_and_layers_are_refused():
    generator = build_generator(make_config())
    with pytest.raises(ConfigError, match=r"label rows of shape \(N, 2\)"):
        generator(torch.zeros(1, Z_DIM))
    with pytest.raises(ConfigError, match="--predictor-layer 5 is out of range"):
        build_discriminator(make_config(predictor_layer=5))
    with pytest.raises(ConfigError, match="label_gan learns labels, and the data set has none"):
        build_generator(ModelConfig("label_gan", Z_DIM))
    with pytest.raises(ConfigError, match="dcgan takes no labels"):
        build_generator(ModelConfig("dcgan", Z_DIM, labels=LAYOUTS["class"]))
