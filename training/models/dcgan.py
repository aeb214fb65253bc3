"""DCGAN: the convolutional pair of Radford et al. 2016, also the body of WGAN-GP."""

from itertools import pairwise

from torch import Tensor, nn

from training.models.attention import build_attention
from training.models.blocks import (
    Discriminator,
    Generator,
    build_norm,
    finish_discriminator,
    get_stage_widths,
    init_weights,
)
from training.models.config import ModelConfig
from training.models.minibatch import build_head
from training.models.spec import ModelDefaults, ModelSpec
from training.models.strided import StridedConv2d, StridedConvTranspose2d


class ConvGenerator(Generator):
    """Grow a latent into an image by transposed convolutions, 4x4 pixels first."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        widths = get_stage_widths(config)[::-1]
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(config.z_dim, widths[0], 4, 1, 0, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        ]
        for stage, (width_in, width_out) in enumerate(pairwise(widths)):
            layers += [
                StridedConvTranspose2d(width_in, width_out),
                nn.BatchNorm2d(width_out),
                nn.ReLU(inplace=True),
                *build_attention(config, width_out, resolution=8 * 2**stage),
            ]
        layers += [StridedConvTranspose2d(widths[-1], config.img_channels)]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        init_weights(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents (N, z_dim) to images (N, C, H, W) in [-1, 1]; takes no labels."""
        images: Tensor = self.layers(z[:, :, None, None])  # (N, z_dim, 1, 1) -> (N, C, H, W)
        return images


class ConvDiscriminator(Discriminator):
    """Judge an image by strided convolutions down to 4x4 pixels, then one logit."""

    def __init__(self, config: ModelConfig) -> None:
        widths = [config.img_channels, *get_stage_widths(config)]
        layers: list[nn.Module] = []
        for stage, (width_in, width_out) in enumerate(pairwise(widths), 1):
            layers += [
                StridedConv2d(width_in, width_out),
                *build_norm(config.critic_norm, width_out),
                nn.LeakyReLU(0.2, inplace=True),
                *build_attention(config, width_out, config.img_resolution // 2**stage),
            ]
        head = build_head(config, widths[-1], lambda width: nn.Conv2d(width, 1, 4, 1, 0))
        super().__init__(layers, head)
        finish_discriminator(self, config)


SPEC = ModelSpec(
    key="dcgan",
    title="DCGAN",
    source="Radford et al. 2016",
    objective="non_saturating",
    defaults=ModelDefaults(z_dim=100, learning_rate=2e-4, betas=(0.5, 0.999)),
    build_generator=ConvGenerator,
    build_discriminator=ConvDiscriminator,
)
