"""The options of a training: one frozen dataclass, from which the command line is made too."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from training.errors import ConfigError
from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS
from training.models import ModelConfig, get_model_spec

PRECISIONS = ("auto", "bf16", "fp32")
# Options that say when a training ends, of which one is given.
GOALS = ("steps", "kimg", "minutes")
NAME_PATTERN = re.compile(r"\w[\w.-]{0,99}")


def option(
    default: Any,
    text: str,
    *,
    kind: type = float,
    low: float = -math.inf,
    high: float = math.inf,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare an option: default (None: the model's own), help text with unit, type and range."""
    facts = {"help": text, "kind": kind, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=facts)


@dataclass(frozen=True)
class TrainConfig:
    """Hold every option of a training; ``resolve`` fills in what the model decides."""

    model: str
    data: str
    name: str
    steps: int | None = option(
        None, "stop after so many generator steps", kind=int, low=1, high=100_000_000
    )
    kimg: float | None = option(
        None, "stop after so many thousand real images shown", low=0.001, high=1e6
    )
    minutes: float | None = option(
        None, "stop after so many minutes of training, all resumes together", low=0.01, high=1e6
    )
    batch_size: int = option(64, "images per step and network", kind=int, low=2, high=65_536)
    width: int = option(
        64, "feature maps next to the image; 64 is the thesis's width", kind=int, low=1, high=512
    )
    z_dim: int | None = option(
        None, "length of the latent (100; sgan: 128)", kind=int, low=1, high=4096
    )
    learning_rate_g: float | None = option(
        None, "Adam step size of the generator (2e-4; wgan_gp: 1e-4)", low=1e-8, high=1.0
    )
    learning_rate_d: float | None = option(
        None, "Adam step size of the discriminator (2e-4; wgan_gp: 1e-4)", low=1e-8, high=1.0
    )
    beta1: float | None = option(None, "Adam's first decay (0.5; wgan_gp: 0)", low=0.0, high=0.9999)
    beta2: float | None = option(
        None, "Adam's second decay (0.999; wgan_gp: 0.9)", low=0.0, high=0.99999
    )
    critic_steps: int | None = option(
        None, "discriminator steps per generator step (1; wgan_gp: 5)", kind=int, low=1, high=100
    )
    gp_weight: float | None = option(
        None, "weight of the gradient penalty (0; wgan_gp: 10)", low=0.0, high=1e4
    )
    critic_norm: str | None = option(
        None,
        "normalisation in the discriminator (batch; wgan_gp: layer)",
        kind=str,
        choices=("batch", "layer"),
    )
    instance_noise: float = option(
        0.0,
        "deviation of the noise added to all images the discriminator sees, which are in [-1, 1] "
        "(Sonderby et al. 2017)",
        low=0.0,
        high=2.0,
    )
    ema_decay: float = option(
        0.999, "decay per step of the averaged generator", low=0.0, high=0.99999
    )
    is_mirrored: bool = option(False, "mirror half of the real images left to right", kind=bool)
    seed: int = option(
        0, "seed of weights, latents and data order", kind=int, low=0, high=2**32 - 1
    )
    precision: str = option(
        "auto",
        "bf16 autocast or fp32; auto: bf16 where the device has it in hardware",
        kind=str,
        choices=PRECISIONS,
    )
    device: str = option("auto", "where to compute: auto, cuda, cuda:NUMBER, mps or cpu", kind=str)
    score_every: int = option(
        500, "steps between scores; 0: never", kind=int, low=0, high=100_000_000
    )
    score_samples: int = option(
        2000, "generated images per score", kind=int, low=16, high=1_000_000
    )
    extractor: str = option(
        DEFAULT_EXTRACTOR,
        f"feature network of the score: {' or '.join(EXTRACTORS)}; only inception gives FID",
        kind=str,
    )
    extractor_weights: str | None = option(None, "file with the extractor's weights", kind=str)
    log_every: int = option(
        20, "steps between lines in metrics.jsonl", kind=int, low=1, high=100_000
    )
    grid_every: int = option(
        250, "steps between grids of samples; 0: never", kind=int, low=0, high=100_000_000
    )
    save_every: int = option(
        500, "steps between saves of the full state", kind=int, low=1, high=100_000_000
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_option(item.name, getattr(self, item.name), item.metadata)
        if sum(getattr(self, goal) is not None for goal in GOALS) > 1:
            raise ConfigError(
                "More than one goal was given: choose one of --steps, --kimg, --minutes."
            )
        if not NAME_PATTERN.fullmatch(self.name):
            raise ConfigError(
                f"The name {self.name!r} cannot be a file name: use letters, digits, ., - and _, "
                "and begin with a letter or digit."
            )

    def resolve(self) -> "TrainConfig":
        """Return a copy in which everything the model decides by default is filled in."""
        defaults = get_model_spec(self.model).defaults
        published = {
            "z_dim": defaults.z_dim,
            "learning_rate_g": defaults.learning_rate,
            "learning_rate_d": defaults.learning_rate,
            "beta1": defaults.betas[0],
            "beta2": defaults.betas[1],
            "critic_steps": defaults.critic_steps,
            "gp_weight": defaults.gp_weight,
            "critic_norm": defaults.critic_norm,
        }
        chosen: dict[str, Any] = {
            name: value for name, value in published.items() if getattr(self, name) is None
        }
        if self.steps is None and self.kimg is None and self.minutes is None:
            chosen["steps"] = DEFAULT_STEPS
        return replace(self, **chosen)

    def build_model_config(self, channels: int, resolution: int) -> ModelConfig:
        """Build the networks' description for images of that many channels and pixels a side."""
        config = self.resolve()
        return ModelConfig(
            model=config.model,
            z_dim=int(config.z_dim or 0),
            width=config.width,
            img_channels=channels,
            img_resolution=resolution,
            critic_norm=str(config.critic_norm),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainConfig":
        """Build from plain JSON values; unknown or missing names raise ConfigError."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        missing = sorted({"model", "data", "name"} - set(values))
        if unknown or missing:
            raise ConfigError(
                "The training options do not fit this version: unknown "
                f"{', '.join(unknown) or 'none'}, missing {', '.join(missing) or 'none'}."
            )
        return cls(**values)


DEFAULT_STEPS = 10_000

# What a preset sets; flags given on the command line win. Without the penalty, a discriminator
# of batch norms tells flat drawings from grainy fakes at once, and DCGAN learns nothing from it.
# A faster critic instead of more critic steps: two time scales (Heusel et al. 2017).
PRESETS: dict[str, dict[str, Any]] = {
    "thesis": {"width": 64, "batch_size": 128, "critic_norm": "batch", "score_every": 500},
    "quick": {
        "width": 32,
        "batch_size": 64,
        "steps": 2000,
        "score_samples": 1000,
        "critic_norm": "layer",
        "gp_weight": 10.0,
        "critic_steps": 1,
        "learning_rate_g": 2e-4,
        "learning_rate_d": 4e-4,
    },
}


def format_range(facts: Mapping[str, Any]) -> str:
    """Write the range of a number's option, whole numbers with all their digits."""
    form = "d" if facts["kind"] is int else "g"
    return f"{facts['low']:{form}} to {facts['high']:{form}}"


def _check_option(name: str, value: Any, facts: Mapping[str, Any]) -> None:
    """Raise ConfigError if a value is outside the range or choices its option declares."""
    if value is None or not facts:
        return
    flag = f"--{name.replace('_', '-')}"
    if facts["choices"] and value not in facts["choices"]:
        raise ConfigError(f"{flag} is {value!r}: choose one of {', '.join(facts['choices'])}.")
    if facts["kind"] in (int, float) and not facts["low"] <= value <= facts["high"]:
        raise ConfigError(f"{flag} is {value}: expected {format_range(facts)}.")
