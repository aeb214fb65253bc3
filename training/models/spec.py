"""What a model's file has to say about itself to be trained and shown."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from training.models.blocks import Discriminator
from training.models.config import ModelConfig


@dataclass(frozen=True)
class ModelDefaults:
    """Hold the published hyper-parameters of a model; every one is an option of ``train``.

    Scores are as far apart as makes them a tenth of the time on two cores of a CPU, or less.
    """

    z_dim: int
    learning_rate: float
    betas: tuple[float, float]
    critic_steps: int = 1
    gp_weight: float = 0.0
    critic_norm: str = "batch"
    optimizer: str = "adam"
    weight_clip: float = 0.0
    score_every: int = 500


@dataclass(frozen=True)
class ModelSpec:
    """Register a model: names, source, objective (key in OBJECTIVES), defaults and builders.

    ``is_convolutional`` says whether its networks have feature maps of every size from 4x4 to half
    the image's, ``takes_attention`` whether self-attention has a place in them, ``has_labels``
    whether they take labels.
    """

    key: str
    title: str
    source: str
    objective: str
    defaults: ModelDefaults
    build_generator: Callable[[ModelConfig], nn.Module]
    build_discriminator: Callable[[ModelConfig], Discriminator]
    is_convolutional: bool = True
    takes_attention: bool = True
    has_labels: bool = False
