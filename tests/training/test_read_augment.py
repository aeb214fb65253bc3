"""What happens before a predictor reads: pixels by hand, SciPy's blur and cosine transform."""

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
import torch

from training.errors import ConfigError
from training.read_augment import (
    READ_AUGMENTATIONS,
    add_block_noise,
    blur,
    crop,
    parse_read_policy,
)


def make_images(count=2, channels=3, side=32):
    return torch.rand((count, channels, side, side), generator=torch.Generator().manual_seed(0))


def test_a_crop_of_everything_is_the_image_and_a_smaller_one_its_part():
    images = make_images()
    whole = crop(images, torch.ones(2), torch.zeros(2, 2))
    torch.testing.assert_close(whole, images, atol=1e-5, rtol=0)
    ramp = torch.linspace(-1, 1, 32).expand(1, 1, 32, 32)
    part = crop(ramp, torch.tensor([0.5]), torch.tensor([[0.25, 0.0]]))
    # Pixel centres of the crop go from -0.25 to 0.75 of the way, those of the ramp end at 31 / 32.
    expected = (0.25 + 0.5 * (torch.arange(32) * 2 + 1 - 32) / 32) * 32 / 31
    torch.testing.assert_close(part[0, 0, 7], expected, atol=1e-5, rtol=0)


def test_blur_is_that_of_scipy():
    images = make_images()
    found = blur(images, torch.tensor([0.0, 0.9])).numpy()
    np.testing.assert_allclose(found[0], images[0], atol=1e-6)
    expected = scipy.ndimage.gaussian_filter(
        images[1].numpy(), 0.9, mode="mirror", radius=3, axes=(1, 2)
    )
    np.testing.assert_allclose(found[1], expected, atol=1e-5)


def test_block_noise_is_an_inverse_cosine_transform_of_blocks():
    images, noise = make_images(), torch.randn(2, 3, 32, 32)
    found = (add_block_noise(images, noise) - images).numpy()
    block = scipy.fft.idctn(noise[1, 2, 8:16, 24:32].numpy(), norm="ortho")
    np.testing.assert_allclose(found[1, 2, 8:16, 24:32], block, atol=1e-5)


@pytest.mark.parametrize("name", READ_AUGMENTATIONS)
def test_each_changes_images_anew_and_lets_gradients_through(name):
    images = make_images(channels=1).requires_grad_(True)
    rng = torch.Generator().manual_seed(0)
    first, second = (READ_AUGMENTATIONS[name](images, rng) for _ in range(2))
    assert first.shape == images.shape
    assert not torch.equal(first, images)
    assert not torch.equal(first, second)
    first.square().sum().backward()
    assert (images.grad.abs().sum(dim=(1, 2, 3)) > 0).all()


def test_what_hides_in_one_pixel_is_lost_and_what_is_drawn_is_not():
    """A single bright pixel says little after this; a bright half says as much as before."""
    rng = torch.Generator().manual_seed(0)
    hidden, drawn = torch.zeros(64, 1, 32, 32), torch.zeros(64, 1, 32, 32)
    hidden[:, :, 16, 16] = 1.0
    drawn[:, :, :, 16:] = 1.0
    for name in ("crop", "blur", "jpeg"):
        hidden, drawn = (READ_AUGMENTATIONS[name](images, rng) for images in (hidden, drawn))
    assert hidden[:, 0, 16, 16].mean() < 0.6
    assert drawn[:, 0, :, 24:].mean() > 0.9


def test_policies_are_looked_up_in_one_order():
    assert parse_read_policy("jpeg, crop") == (
        READ_AUGMENTATIONS["crop"],
        READ_AUGMENTATIONS["jpeg"],
    )
    assert parse_read_policy("") == ()
    with pytest.raises(ConfigError, match="names 'zoom': choose any of color,crop,blur,jpeg"):
        parse_read_policy("crop,zoom")


@pytest.mark.parametrize("name", ["crop", "blur", "jpeg"])
def test_autocast_changes_nothing(name):
    images = make_images() * 2 - 1
    apply = READ_AUGMENTATIONS[name]
    expected = apply(images, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        found = apply(images, torch.Generator().manual_seed(0))
    assert torch.equal(found, expected)
