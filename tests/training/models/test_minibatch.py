"""The minibatch standard deviation by hand."""

import pytest
import torch

from training.labels import NO_LABELS, ClassLabel, LabelLayout
from training.models import MODELS, ModelConfig, build_discriminator
from training.models.minibatch import MinibatchStddev
from training.models.summary import count_parameters

LABELS = LabelLayout((ClassLabel("hair", ("short", "long"), (0.5, 0.5)),))


def make_config(model, **options):
    labels = LABELS if MODELS[model].has_labels else NO_LABELS
    return ModelConfig(model, 8, 4, 3, 32, labels=labels, **options)


def test_deviation_by_hand():
    # Deviations over the group: 1 for the first feature, 0 for the second; their mean is 0.5.
    features = torch.tensor([[0.0, 1.0], [2.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    found = MinibatchStddev()(features)
    assert found.shape == (4, 3)
    assert torch.equal(found[:, :2], features)
    assert found[:, 2].tolist() == pytest.approx([0.5] * 4, abs=1e-4)


def test_groups_have_four_samples_where_they_fit():
    features = torch.zeros(8, 1, 2, 2)
    features[:2] = 4.0  # in the first group two are 4 and two are 0
    found = MinibatchStddev()(features)
    assert found.shape == (8, 2, 2, 2)
    expected = torch.tensor([2.0] * 4 + [0.0] * 4).view(8, 1, 1).expand(8, 2, 2)
    assert torch.allclose(found[:, 1], expected, atol=2e-4)
    # Six are one group: of two 4 and four 0 the deviation is 4 * sqrt(2) / 3.
    assert MinibatchStddev()(features[:6])[5, 1, 0, 0].item() == pytest.approx(4 * 2**0.5 / 3)


def test_gradients_are_finite_where_samples_are_alike():
    features = torch.ones(4, 3, requires_grad=True)
    MinibatchStddev()(features).square().sum().backward()
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("model", MODELS)
def test_the_last_layer_sees_one_channel_more(model):
    counts = []
    for is_seen in (False, True):
        config = make_config(model, has_minibatch_stddev=is_seen)
        counts.append(count_parameters(build_discriminator(config)))
    assert counts[1] - counts[0] == {"sgan": 1, "label_gan": 4}.get(model, 16)


@pytest.mark.parametrize("model", MODELS)
def test_a_discriminator_can_tell_copies_from_variety(model):
    torch.manual_seed(0)
    config = make_config(model, critic_norm="none", has_minibatch_stddev=True)
    discriminator = build_discriminator(config)
    image, images = torch.rand(1, 3, 32, 32), torch.rand(4, 3, 32, 32)
    images[0] = image[0]
    with torch.no_grad():
        alone = discriminator(image.expand(4, -1, -1, -1))[0]
        among_others = discriminator(images)[0]
    assert alone != among_others
