"""Differentiable augmentation: each operation by hand, its range, and its gradient."""

import pytest
import torch

from training.diff_augment import (
    AUGMENTATIONS,
    augment_color,
    augment_cutout,
    augment_translation,
    cut_out,
    parse_policy,
    scale_contrast,
    scale_saturation,
    shift_brightness,
    translate,
)
from training.errors import ConfigError


def make_rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_brightness_by_hand():
    images = torch.tensor([1.0, -0.5]).view(2, 1, 1, 1)
    shifted = shift_brightness(images, torch.tensor([0.25, -0.5]).view(2, 1, 1, 1))
    assert shifted.flatten().tolist() == [1.25, -1.0]


def test_saturation_by_hand():
    # One pixel each; the grey of (0.9, 0.3, 0) is 0.4.
    pixel = torch.tensor([0.9, 0.3, 0.0]).view(1, 3, 1, 1)
    images = pixel.expand(3, 3, 1, 1)
    scaled = scale_saturation(images, torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1, 1))
    assert scaled[0].flatten().tolist() == pytest.approx([0.4, 0.4, 0.4])
    assert scaled[1].flatten().tolist() == pytest.approx([0.9, 0.3, 0.0])
    assert scaled[2].flatten().tolist() == pytest.approx([1.4, 0.2, -0.4])


def test_contrast_by_hand():
    # Both images have the mean 0.5 over all channels and pixels.
    images = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).view(1, 2, 1, 2).repeat(2, 1, 1, 1)
    scaled = scale_contrast(images, torch.tensor([0.5, 1.5]).view(2, 1, 1, 1))
    assert scaled[0].flatten().tolist() == pytest.approx([0.75, 0.25, 0.5, 0.5])
    assert scaled[1].flatten().tolist() == pytest.approx([1.25, -0.25, 0.5, 0.5])


def test_translation_by_hand():
    images = torch.arange(1.0, 10.0).view(1, 1, 3, 3).repeat(2, 1, 1, 1)
    moved = translate(images, torch.tensor([[1, 0], [-1, 2]]))
    assert moved[0, 0].tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert moved[1, 0].tolist() == [[0, 0, 4], [0, 0, 7], [0, 0, 0]]


def test_cutout_by_hand():
    images = torch.ones(3, 2, 4, 4)
    cut = cut_out(images, torch.tensor([[2, 2], [0, 1], [4, 4]]))
    for channel in range(2):
        assert cut[0, channel].tolist() == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]
        assert cut[1, channel].tolist() == [[0, 0, 1, 1], *([[1] * 4] * 3)]
        assert cut[2, channel].tolist() == [*([[1] * 4] * 3), [1, 1, 1, 0]]


def test_color_has_the_published_ranges():
    """Read the three numbers back from a grey pixel, a darker one and a red one per image."""
    pixels = torch.tensor([[0.5, 0.5, 0.5], [-0.5, -0.5, -0.5], [1.0, -0.5, -0.5]])
    images = pixels.T.reshape(1, 3, 1, 3).repeat(4000, 1, 1, 1)
    changed = augment_color(images, make_rng())
    # The mean of all pixels is 0 before, and only brightness moves it.
    brightness = changed.mean(dim=(1, 2, 3))
    contrast = changed[:, 0, 0, 0] - changed[:, 0, 0, 1]  # 1 between the greys before
    saturation = (changed[:, 0, 0, 2] - changed[:, 1, 0, 2]) / (1.5 * contrast)
    for values, low, high in (
        (brightness, -0.5, 0.5),
        (contrast, 0.5, 1.5),
        (saturation, 0.0, 2.0),
    ):
        assert low - 1e-5 <= values.min() < low + 0.01
        assert high - 0.01 < values.max() <= high + 1e-5
        assert values.mean().item() == pytest.approx((low + high) / 2, abs=0.05)


def test_translation_goes_up_to_an_eighth_either_way():
    images = torch.zeros(3000, 1, 16, 16)
    images[:, :, 8, 8] = 1.0
    moved = augment_translation(images, make_rng())
    places = moved.flatten(1).argmax(dim=1)
    for axis in (places // 16, places % 16):
        values, counts = axis.unique(return_counts=True)
        assert values.tolist() == [6, 7, 8, 9, 10]  # 16 / 8 = 2 pixels either way
        assert (counts - 600).abs().max() < 120  # five standard deviations of 22


def test_cutout_is_half_the_side_and_reaches_over_every_edge():
    cut = augment_cutout(torch.ones(4000, 1, 16, 16), make_rng())[:, 0]
    num_rows = (cut == 0).any(dim=2).sum(dim=1)
    num_columns = (cut == 0).any(dim=1).sum(dim=1)
    assert ((cut == 0).sum(dim=(1, 2)) == num_rows * num_columns).all()  # a rectangle
    assert (num_rows.min(), num_rows.max()) == (4, 8)
    # Of the 17 places along a side, 5 cut the pixel at its end.
    for row in (0, 15):
        for column in (0, 15):
            share = (cut[:, row, column] == 0).float().mean().item()
            assert share == pytest.approx((5 / 17) ** 2, abs=0.02)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_flow_and_are_exact(name, channels):
    torch.manual_seed(0)
    images = torch.randn(3, channels, 8, 8, dtype=torch.double, requires_grad=True)
    (apply,) = parse_policy(name)
    assert torch.autograd.gradcheck(lambda x: apply(x, make_rng()), images)
    weights = torch.autograd.grad(apply(images, make_rng()).sum(), images)[0]
    assert weights.abs().sum() > 0


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_one_seed_is_one_augmentation(name):
    images = torch.rand(8, 3, 16, 16)
    (apply,) = parse_policy(name)
    assert torch.equal(apply(images, make_rng(5)), apply(images, make_rng(5)))
    assert not torch.equal(apply(images, make_rng(5)), apply(images, make_rng(6)))


def test_a_policy_is_any_subset():
    assert parse_policy("") == ()
    assert parse_policy("cutout,color") == (augment_color, augment_cutout)
    assert parse_policy("color, translation ,cutout") == tuple(AUGMENTATIONS.values())
    with pytest.raises(ConfigError, match=r"names 'flip': choose any of color,translation,cutout"):
        parse_policy("color,flip")
