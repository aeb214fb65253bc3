"""The deformation: nothing at first, always undone by its opposite, never folded."""

import torch

from training.models.deformation import (
    SmoothDeformation,
    integrate_velocity,
    make_places,
    sample_at,
)

SIDE = 64


def build_wild_deformation():
    """Build a deformation whose velocities are as large as they can get."""
    deformation = SmoothDeformation(3)
    torch.nn.init.normal_(
        deformation.velocity.weight, 0.0, 10.0, generator=torch.Generator().manual_seed(0)
    )
    return deformation


def test_it_starts_as_the_identity():
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    deformed = SmoothDeformation(5)(images, torch.randn(2, 5))
    torch.testing.assert_close(deformed, images, atol=1e-5, rtol=0)


def test_a_velocity_that_is_the_same_everywhere_moves_by_itself():
    velocity = torch.zeros(1, 2, 5, 5)
    velocity[:, 0] = 0.5  # a pixel is 0.5 of the half side
    displacement = integrate_velocity(velocity)
    torch.testing.assert_close(displacement, velocity, atol=1e-6, rtol=0)
    ramp = torch.arange(5.0).expand(1, 1, 5, 5)
    assert sample_at(ramp, displacement)[0, 0, 0].tolist() == [1, 2, 3, 4, 4]  # the edge goes on


def test_the_opposite_velocity_leads_back():
    velocity = build_wild_deformation().get_velocity(torch.randn(4, 3), SIDE)
    assert velocity.abs().max() > 0.2
    there, back = integrate_velocity(velocity), integrate_velocity(-velocity)
    around = there + sample_at(back, there)  # zero, where points stay inside of the image
    places = make_places(there).permute(2, 0, 1) + there
    is_inside = (places.abs() < 0.95).all(dim=1)
    assert is_inside.float().mean() > 0.5
    error = around.abs().amax(dim=1)[is_inside]
    assert error.max() < 2 / SIDE  # a pixel, of up to ten


def test_the_plane_is_never_folded():
    velocity = build_wild_deformation().get_velocity(torch.randn(8, 3), SIDE)
    displacement = integrate_velocity(velocity)
    places = make_places(displacement).permute(2, 0, 1) + displacement  # (N, 2, H, W)
    down = places[:, :, 1:, :-1] - places[:, :, :-1, :-1]
    right = places[:, :, :-1, 1:] - places[:, :, :-1, :-1]
    area = right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0]
    pixel = (2 / (SIDE - 1)) ** 2
    assert area.min() > 0.05 * pixel
    assert area.min() < 0.5 * pixel < 2 * pixel < area.max()  # it does deform


def test_gradients_reach_what_it_is_told_and_the_images():
    deformation = build_wild_deformation()
    images = torch.rand(1, 1, 16, 16, requires_grad=True)
    inputs = torch.zeros(1, 3, requires_grad=True)
    deformation(images, inputs).square().sum().backward()
    assert images.grad.abs().sum() > 0
    assert inputs.grad.abs().sum() > 0
