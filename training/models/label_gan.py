"""LabelGAN: a WGAN-GP whose images have the labels asked for (Wachsmann 2017)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.errors import ConfigError
from training.labels import check_rows
from training.models.blocks import (
    Discriminator,
    Generator,
    build_norm,
    init_weights,
    normalize_weights,
)
from training.models.config import ModelConfig
from training.models.deformation import SmoothDeformation
from training.models.minibatch import build_head
from training.models.predictor import Predictor, scale_weights
from training.models.spec import ModelDefaults, ModelSpec
from training.models.strided import StridedConv2d

NUM_BLOCKS = 5
# Noise is drawn up from so many maps of 4x4 pixels, which the latent is mapped to linearly.
NOISE_CHANNELS, NOISE_SIDE = 8, 4
MAX_WIDTH_FACTOR = 8


class LabelGenerator(Generator):
    """Turn a template image of the labels and a latent into an image.

    The template mixes images, one per class and several over a number's range, which are fitted to
    the data before training (to 20,000 images at most) and stay: with one label they are the
    classes' mean images. A smooth deformation moves it, noise comes beside it, and five residual
    blocks make the rest.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        channels, side = config.img_channels, config.img_resolution
        layout, width = config.labels, config.width
        self.templates = nn.Buffer(torch.zeros(layout.basis_size, channels, side, side))
        self.noise = nn.Linear(config.z_dim, NOISE_CHANNELS * NOISE_SIDE**2)
        self.first = nn.Conv2d(channels + NOISE_CHANNELS, width, 3, 1, 1, bias=False)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(NUM_BLOCKS)))
        self.last = nn.Conv2d(width, channels, 3, 1, 1)
        init_weights(self)
        # The latent comes in as it is, in deviation: about 1.
        nn.init.normal_(self.noise.weight, 0.0, config.z_dim**-0.5)
        self.deformation = SmoothDeformation(config.z_dim + layout.vector_size)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents (N, z_dim) and label rows (N, L) to images (N, C, H, W) in [-1, 1]."""
        return self.render(z, self.labels.encode(check_rows(self.labels, labels).to(z.dtype)))

    def render(self, z: Tensor, vectors: Tensor) -> Tensor:
        """Map latents and label vectors (N, vector_size), which may lie between rows, to images."""
        side = self.img_resolution
        told = torch.cat([z, vectors], dim=1)  # (N, z_dim + vector_size)
        template = self.deformation(self.mix_templates(vectors), told)  # (N, C, H, W)
        noise = self.noise(z).view(-1, NOISE_CHANNELS, NOISE_SIDE, NOISE_SIDE)
        noise = functional.interpolate(noise, (side, side), mode="bilinear", align_corners=False)
        features = self.first(torch.cat([template.to(noise.dtype), noise], dim=1))
        images: Tensor = torch.tanh(self.last(self.blocks(features)))
        return images

    def mix_templates(self, vectors: Tensor) -> Tensor:
        """Mix the template of each label vector, (N, C, H, W)."""
        weights = self.labels.weigh(vectors)  # (N, basis_size)
        with torch.autocast(weights.device.type, enabled=False):
            return torch.einsum("nb,bchw->nchw", weights, self.templates.to(weights.dtype))


class ResidualBlock(nn.Module):
    """Add to feature maps what two convolutions make of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, width, H, W) to the same shape."""
        return features + self.layers(features)


class LabelCritic(Discriminator):
    """Judge images by convolutions down to 2x2 pixels; a predictor reads their labels on the way.

    The predictor sees the feature maps after ``predictor_layer`` convolutions; 0: the image.
    """

    def __init__(self, config: ModelConfig) -> None:
        num_stages = config.img_resolution.bit_length() - 2
        factors = [min(2**stage, MAX_WIDTH_FACTOR) for stage in range(num_stages)]
        widths = [config.img_channels, *(config.width * factor for factor in factors)]
        body: list[nn.Module] = []
        ends = [0]
        for width_in, width_out in pairwise(widths):
            body += [
                StridedConv2d(width_in, width_out),
                *build_norm(config.critic_norm, width_out),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            ends.append(len(body))
        if config.predictor_layer > num_stages:
            raise ConfigError(
                f"--predictor-layer {config.predictor_layer} is out of range: the critic of "
                f"{config.img_resolution}-pixel images has {num_stages} convolutions."
            )
        super().__init__(body, build_head(config, widths[-1], lambda width: nn.Conv2d(width, 1, 2)))
        scale_weights(self)
        normalize_weights(self, config)
        self.labels = config.labels
        self._tap = ends[config.predictor_layer]
        self.predictor = Predictor(
            widths[config.predictor_layer],
            config.img_resolution >> config.predictor_layer,
            config.width,
            self.labels.vector_size,
        )
        self.projection = (
            nn.Linear(self.labels.vector_size, widths[-1], bias=False)
            if config.has_projection
            else None
        )

    def judge(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map features to logits (N,), by how well they fit label rows (N, L) if it projects.

        The projection is a product of the summed features with a vector per label (Miyato and
        Koyama 2018), scaled to the features' number.
        """
        logits = super().judge(features)
        if self.projection is None:
            return logits
        rows = check_rows(self.labels, labels)
        wanted = self.projection(self.labels.encode(rows).to(features.dtype))  # (N, F)
        return logits + (wanted * features.mean(dim=(2, 3))).sum(dim=1)

    def forward(  # type: ignore[override]
        self,
        images: Tensor,
        labels: Tensor | None = None,
        read_images: Tensor | None = None,
        is_moved: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Map images to logits (N,), and ``read_images`` to label vectors beside them, if any.

        Unless the critic ``is_moved`` by what the predictor learns, gradients of vectors reach
        the predictor and, where they need any, the images, but not the critic.
        """
        logits = self.judge(self.extract_features(images), labels)
        return logits if read_images is None else (logits, self.read(read_images, is_moved))

    def read(self, images: Tensor, is_moved: bool = False) -> Tensor:
        """Read label vectors (N, vector_size) off images; ``is_moved`` as in `forward`."""
        has_gradient = torch.is_grad_enabled() and (is_moved or images.requires_grad)
        with torch.set_grad_enabled(has_gradient):
            features = self._run(slice(None, self._tap), images)
        vectors: Tensor = self.predictor(features)
        return vectors


SPEC = ModelSpec(
    key="label_gan",
    title="LabelGAN",
    source="Wachsmann 2017",
    objective="wasserstein",
    defaults=ModelDefaults(
        z_dim=128,
        learning_rate=1e-4,
        betas=(0.0, 0.9),
        critic_steps=3,
        gp_weight=10.0,
        critic_norm="none",
    ),
    build_generator=LabelGenerator,
    build_discriminator=LabelCritic,
    takes_attention=False,
    has_labels=True,
)
