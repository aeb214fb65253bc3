"""SGAN: the standard, fully connected GAN of Goodfellow et al. 2014."""

from itertools import pairwise

from torch import Tensor, nn

from training.models.blocks import Discriminator, Generator, finish_discriminator, init_weights
from training.models.config import ModelConfig
from training.models.minibatch import build_head
from training.models.spec import ModelDefaults, ModelSpec


class LinearGenerator(Generator):
    """Map a latent to all pixels at once through four hidden layers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        widths = [config.z_dim, *(config.width * factor for factor in (1, 2, 4, 8))]
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            layers += [
                nn.Linear(width_in, width_out),
                nn.BatchNorm1d(width_out),
                nn.ReLU(inplace=True),
            ]
        num_pixels = config.img_channels * config.img_resolution**2
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], num_pixels), nn.Sigmoid())
        init_weights(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents (N, z_dim) to images (N, C, H, W) in [-1, 1]; takes no labels."""
        # The thesis ends in a Sigmoid, whose (0, 1) could never meet data in [-1, 1]: stretch it.
        pixels = 2 * self.layers(z) - 1  # (N, C * H * W)
        resolution = self.img_resolution
        return pixels.reshape(len(z), self.img_channels, resolution, resolution)


class LinearDiscriminator(Discriminator):
    """Judge an image by its flattened pixels."""

    def __init__(self, config: ModelConfig) -> None:
        num_pixels = config.img_channels * config.img_resolution**2
        widths = [num_pixels, *(config.width * factor for factor in (4, 2, 1))]
        layers: list[nn.Module] = [nn.Flatten()]
        for width_in, width_out in pairwise(widths):
            layers += [nn.Linear(width_in, width_out), nn.LeakyReLU(0.2, inplace=True)]
        super().__init__(layers, build_head(config, widths[-1], lambda width: nn.Linear(width, 1)))
        finish_discriminator(self, config)


SPEC = ModelSpec(
    key="sgan",
    title="SGAN",
    source="Goodfellow et al. 2014",
    objective="non_saturating",
    defaults=ModelDefaults(
        z_dim=128, learning_rate=2e-4, betas=(0.5, 0.999), critic_norm="none", score_every=3000
    ),
    build_generator=LinearGenerator,
    build_discriminator=LinearDiscriminator,
    is_convolutional=False,
    takes_attention=False,
)
