"""The model registry: one file and one line per model."""

from torch import nn

from training.errors import ConfigError
from training.models import dcgan, sgan, wgan_gp
from training.models.config import ModelConfig
from training.models.spec import ModelDefaults, ModelSpec

MODELS: dict[str, ModelSpec] = {
    "sgan": sgan.SPEC,
    "dcgan": dcgan.SPEC,
    "wgan_gp": wgan_gp.SPEC,
}

__all__ = [
    "MODELS",
    "ModelConfig",
    "ModelDefaults",
    "ModelSpec",
    "build_discriminator",
    "build_generator",
    "get_model_spec",
]


def get_model_spec(name: str) -> ModelSpec:
    """Look up a model by its registry name; raises ConfigError that lists the known names."""
    if name not in MODELS:
        raise ConfigError(f"Unknown model {name!r}: choose one of {', '.join(MODELS)}.")
    return MODELS[name]


def build_generator(config: ModelConfig) -> nn.Module:
    """Build the generator a configuration describes, freshly initialised, on the CPU."""
    return get_model_spec(config.model).build_generator(config)


def build_discriminator(config: ModelConfig) -> nn.Module:
    """Build the discriminator (critic) a configuration describes, freshly initialised, on CPU."""
    return get_model_spec(config.model).build_discriminator(config)
