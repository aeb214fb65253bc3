"""A learned smooth deformation of images that can always be undone: a diffeomorphism."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# The velocity is given at so many places a side, and smooth in between.
GRID_SIDE = 5
# Of the image's half side. With 0.3 the wildest fields fold the plane between pixels, and with
# this none does: areas shrink to a thirtieth in the wildest found.
MAX_VELOCITY = 0.2
# Each squaring composes the motion so far with itself: 2 ** 5 small steps.
NUM_SQUARINGS = 5


class SmoothDeformation(nn.Module):
    """Deform images by the flow of a velocity field that is linear in what it is told.

    A field that stands still in time, followed for a unit of it, moves every point to a place of
    its own, and the field's opposite moves it back (Arsigny et al. 2006: scaling and squaring).
    Its weights start at 0: the deformation is the identity.
    """

    def __init__(self, num_inputs: int) -> None:
        super().__init__()
        self.velocity = nn.Linear(num_inputs, 2 * GRID_SIDE**2)
        nn.init.zeros_(self.velocity.weight)
        nn.init.zeros_(self.velocity.bias)

    def forward(self, images: Tensor, inputs: Tensor) -> Tensor:
        """Deform images (N, C, H, W), each as its inputs (N, num_inputs) say."""
        side = images.shape[-1]
        moved = integrate_velocity(self.get_velocity(inputs, side))
        return sample_at(images, moved)

    def get_velocity(self, inputs: Tensor, side: int) -> Tensor:
        """Map inputs (N, num_inputs) to velocities (N, 2, side, side): x, y, of the half side."""
        # In float32: bfloat16 has 8 bits, too few to say where a pixel goes.
        with torch.autocast(inputs.device.type, enabled=False):
            inputs = inputs.to(self.velocity.weight.dtype)
            coarse = MAX_VELOCITY * torch.tanh(self.velocity(inputs))
            coarse = coarse.view(-1, 2, GRID_SIDE, GRID_SIDE)
            return functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=True)


def integrate_velocity(velocity: Tensor) -> Tensor:
    """Follow a velocity field (N, 2, H, W) for a unit of time; returns displacements like it."""
    displacement = velocity / 2**NUM_SQUARINGS
    for _ in range(NUM_SQUARINGS):
        displacement = displacement + sample_at(displacement, displacement)
    return displacement


def sample_at(images: Tensor, displacement: Tensor) -> Tensor:
    """Read images (N, C, H, W) where each pixel's displacement (N, 2, H, W) points, linearly.

    Displacements are in units of the half side, x before y; outside, the edge goes on.
    """
    with torch.autocast(images.device.type, enabled=False):
        images = images.to(displacement.dtype)
        places = make_places(displacement) + displacement.permute(0, 2, 3, 1)  # (N, H, W, 2)
        return functional.grid_sample(
            images, places, mode="bilinear", padding_mode="border", align_corners=True
        )


def make_places(field: Tensor) -> Tensor:
    """Return the places of a field's pixels, (H, W, 2) in -1 to 1, x before y."""
    height, width = field.shape[2:]
    rows = torch.linspace(-1, 1, height, dtype=field.dtype, device=field.device)
    columns = torch.linspace(-1, 1, width, dtype=field.dtype, device=field.device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], dim=2)
