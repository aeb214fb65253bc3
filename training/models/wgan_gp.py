"""WGAN-GP: DCGAN's networks, Wasserstein loss, gradient penalty (Gulrajani et al. 2017)."""

from training.models.dcgan import ConvDiscriminator, ConvGenerator
from training.models.spec import ModelDefaults, ModelSpec

# The penalty is taken per sample, which batch normalisation in the critic would mix: "layer" is
# what the paper uses, "batch" is what the thesis used.
SPEC = ModelSpec(
    key="wgan_gp",
    title="WGAN-GP",
    source="Gulrajani et al. 2017",
    objective="wasserstein",
    defaults=ModelDefaults(
        z_dim=100,
        learning_rate=1e-4,
        betas=(0.0, 0.9),
        critic_steps=5,
        gp_weight=10.0,
        critic_norm="layer",
    ),
    build_generator=ConvGenerator,
    build_discriminator=ConvDiscriminator,
)
