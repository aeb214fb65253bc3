"""Self-attention by hand, against torch's own attention, and in its place."""

import pytest
import torch
from torch.nn import functional

from training.errors import ConfigError
from training.models import ModelConfig, build_discriminator, build_generator
from training.models.attention import SelfAttention


def fill(attention, gamma, query, key, value, output):
    with torch.no_grad():
        attention.gamma.fill_(gamma)
        for name, number in (("query", query), ("key", key), ("value", value), ("output", output)):
            getattr(attention, name).weight.fill_(number)


def test_attention_starts_as_nothing():
    features = torch.randn(2, 16, 4, 4)
    assert torch.equal(SelfAttention(16)(features), features)


def test_attention_by_hand():
    attention = SelfAttention(1)
    fill(attention, gamma=0.5, query=1.0, key=1.0, value=2.0, output=3.0)
    features = torch.tensor([[0.0, 1.0], [2.0, -1.0]]).view(1, 1, 2, 2)
    # One pooled place only: its value, 2 * 2, goes everywhere: 0.5 * 3 * 4 = 6.
    assert attention(features).flatten().tolist() == pytest.approx([6.0, 7.0, 8.0, 5.0])
    # Two pooled places with maxima 1 and 0: the place with 2 weighs them e^2 to 1.
    features = torch.tensor([[1.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]).view(1, 1, 2, 4)
    fill(attention, gamma=1.0, query=1.0, key=0.5, value=1.0, output=1.0)
    share = torch.sigmoid(torch.tensor(2.0)).item()
    found = attention(features).view(2, 4)
    assert found[1, 0].item() == pytest.approx(2.0 + 2 * share)
    assert found[0, 3].item() == pytest.approx(1.0)  # a query of 0 weighs alike: (2 + 0) / 2


def test_attention_equals_that_of_torch():
    torch.manual_seed(0)
    attention = SelfAttention(16)
    torch.nn.init.constant_(attention.gamma, 0.7)
    features = torch.randn(2, 16, 8, 4)
    query = attention.query(features).flatten(2).transpose(1, 2)
    key, value = (
        functional.max_pool2d(layer(features), 2).flatten(2).transpose(1, 2)
        for layer in (attention.key, attention.value)
    )
    assert key.shape == (2, 8, 2)  # a quarter of the places, an eighth of the channels
    mixed = functional.scaled_dot_product_attention(query, key, value, scale=1.0)
    mixed = attention.output(mixed.transpose(1, 2).reshape(2, 2, 8, 4))
    assert torch.allclose(attention(features), features + 0.7 * mixed, atol=1e-6)


def test_attention_has_second_derivatives():
    torch.manual_seed(0)
    attention = SelfAttention(8).double()
    torch.nn.init.constant_(attention.gamma, 0.7)
    features = torch.randn(1, 8, 2, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradgradcheck(attention, features)


@pytest.mark.parametrize("resolution", [64, 128, 256])
@pytest.mark.parametrize("build", [build_generator, build_discriminator])
def test_attention_sits_at_32_pixels(build, resolution):
    config = ModelConfig("dcgan", 8, 2, 3, resolution, has_self_attention=True)
    network = build(config)
    (attention,) = [m for m in network.modules() if isinstance(m, SelfAttention)]
    shapes = []
    attention.register_forward_hook(lambda _module, _args, output: shapes.append(output.shape[2:]))
    is_generator = build is build_generator
    network(torch.zeros(2, 8) if is_generator else torch.zeros(2, 3, resolution, resolution))
    assert shapes == [(32, 32)]


def test_attention_is_refused_where_it_has_no_place():
    with pytest.raises(ConfigError, match="networks for 32-pixel images lack"):
        ModelConfig("dcgan", 8, img_resolution=32, has_self_attention=True)
    for model in ("sgan", "label_gan"):
        config = ModelConfig(model, 8, img_resolution=64, has_self_attention=True)
        for build in (build_generator, build_discriminator):
            with pytest.raises(ConfigError, match=f"no place in {model}: choose one of dcgan"):
                build(config)
