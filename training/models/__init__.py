"""The model registry: one file and one line per model."""

from torch import nn

from training.errors import ConfigError
from training.models import dcgan, label_gan, sgan, wgan, wgan_gp
from training.models.blocks import Discriminator
from training.models.config import CRITIC_NORMS, ModelConfig
from training.models.spec import ModelDefaults, ModelSpec

MODELS: dict[str, ModelSpec] = {
    "sgan": sgan.SPEC,
    "dcgan": dcgan.SPEC,
    "wgan": wgan.SPEC,
    "wgan_gp": wgan_gp.SPEC,
    "label_gan": label_gan.SPEC,
}

__all__ = [
    "CRITIC_NORMS",
    "MODELS",
    "Discriminator",
    "ModelConfig",
    "ModelDefaults",
    "ModelSpec",
    "build_discriminator",
    "build_generator",
    "check_model_config",
    "get_model_spec",
]


def get_model_spec(name: str) -> ModelSpec:
    """Look up a model by its registry name; raises ConfigError that lists the known names."""
    if name not in MODELS:
        raise ConfigError(f"Unknown model {name!r}: choose one of {', '.join(MODELS)}.")
    return MODELS[name]


def check_model_config(config: ModelConfig) -> None:
    """Raise ConfigError if the model is unknown or lacks what the configuration asks of it."""
    spec = get_model_spec(config.model)
    if config.has_self_attention and not spec.takes_attention:
        takers = ", ".join(key for key, other in MODELS.items() if other.takes_attention)
        raise ConfigError(
            f"Self-attention has no place in {config.model}: choose one of {takers}, or leave "
            "--self-attention out."
        )
    if spec.has_labels and not len(config.labels):
        raise ConfigError(
            f"{config.model} learns labels, and the data set has none: choose another data set "
            "(a folder needs a labels.csv) or another model."
        )
    if len(config.labels) and not spec.has_labels:
        raise ConfigError(f"{config.model} takes no labels: choose a model that does.")


def build_generator(config: ModelConfig) -> nn.Module:
    """Build the generator a configuration describes, freshly initialised, on the CPU."""
    check_model_config(config)
    return get_model_spec(config.model).build_generator(config)


def build_discriminator(config: ModelConfig) -> Discriminator:
    """Build the discriminator (critic) a configuration describes, freshly initialised, on CPU."""
    check_model_config(config)
    return get_model_spec(config.model).build_discriminator(config)
