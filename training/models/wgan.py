"""WGAN: DCGAN's networks, Wasserstein loss, clipped weights (Arjovsky et al. 2017)."""

from training.models.dcgan import ConvDiscriminator, ConvGenerator
from training.models.spec import ModelDefaults, ModelSpec

# The critic keeps batch normalisation, as published. Momentum made its training unstable, so the
# optimiser is RMSprop: its only decay is the second beta.
SPEC = ModelSpec(
    key="wgan",
    title="WGAN",
    source="Arjovsky et al. 2017",
    objective="wasserstein",
    defaults=ModelDefaults(
        z_dim=100,
        learning_rate=5e-5,
        betas=(0.0, 0.99),
        critic_steps=5,
        optimizer="rmsprop",
        weight_clip=0.01,
    ),
    build_generator=ConvGenerator,
    build_discriminator=ConvDiscriminator,
)
