"""The options of a training: one frozen dataclass, from which the command line is made too."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from training.errors import ConfigError
from training.labels import NO_LABELS, LabelLayout
from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS
from training.models import ModelConfig, check_model_config, get_model_spec
from training.optimizers import OPTIMIZERS
from training.options import check_option, option
from training.techniques import TechniqueOptions, check_techniques, drop_idle_norm

PRECISIONS = ("auto", "bf16", "fp32")
DEFAULT_STEPS = 10_000
ON_NAN_CHOICES = ("stop", "rewind")
# Options that say when a training ends, of which one is given.
GOALS = ("steps", "kimg", "minutes")
NAME_PATTERN = re.compile(r"\w[\w.-]{0,99}")


@dataclass(frozen=True)
class TrainConfig(TechniqueOptions):
    """Hold every option of a training; ``resolve`` fills in what the model decides."""

    model: str
    data: str
    name: str
    steps: int | None = option(
        None,
        f"stop after so many generator steps ({DEFAULT_STEPS:,} where no goal is given)",
        kind=int,
        low=1,
        high=100_000_000,
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
        None, "length of the latent (100; sgan, label_gan: 128)", kind=int, low=1, high=4096
    )
    beta1: float | None = option(
        None,
        "Adam's first decay (0.5; wgan, wgan_gp, label_gan: 0)",
        low=0.0,
        high=0.9999,
    )
    beta2: float | None = option(
        None,
        "Adam's second decay, RMSprop's only one (0.999; wgan_gp, label_gan: 0.9; wgan: 0.99)",
        low=0.0,
        high=0.99999,
    )
    ema_decay: float = option(
        0.999, "decay per step of the averaged generator", low=0.0, high=0.99999
    )
    is_mirrored: bool = option(
        False, "mirror half of the real images left to right", kind=bool, flag="--mirror"
    )
    seed: int = option(
        0, "seed of weights, latents and data order", kind=int, low=0, high=2**32 - 1
    )
    precision: str = option(
        "auto",
        "bf16 autocast or fp32; auto: bf16 where the device has it in hardware",
        kind=str,
        choices=PRECISIONS,
    )
    cuda_graph: bool = option(
        False,
        "on one GPU, record what a step computes once, and replay it as a whole from then on",
        kind=bool,
    )
    device: str = option("auto", "where to compute: auto, cuda, cuda:NUMBER, mps or cpu", kind=str)
    score_every: int | None = option(
        None, "steps between scores (500; sgan: 3,000); 0: never", kind=int, low=0, high=100_000_000
    )
    score_samples: int = option(
        1000, "generated images per score", kind=int, low=16, high=1_000_000
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
        500,
        "steps between saves of the full state, each with a line in metrics.jsonl",
        kind=int,
        low=1,
        high=100_000_000,
    )

    # Watching and safety.
    on_nan: str = option(
        "stop",
        "when a loss or weight is not finite: stop, or rewind to the last save with both learning "
        "rates halved, at most three times",
        kind=str,
        choices=ON_NAN_CHOICES,
    )
    histograms_every: int = option(
        0,
        "steps between histograms of weights and gradients in TensorBoard, each with a line in "
        "metrics.jsonl; 0: never",
        kind=int,
        low=0,
        high=100_000_000,
    )
    projector: int = option(
        0,
        "generated and as many real images in TensorBoard's embedding projector at the end of the "
        "run, by their features; with --resume of a run that is done, at once; 0: none",
        kind=int,
        low=0,
        high=4096,
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            check_option(item, getattr(self, item.name))
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
        """Return a copy in which everything the model decides by default is filled in.

        Raises ConfigError if options contradict each other.
        """
        spec = get_model_spec(self.model)
        defaults = spec.defaults
        optimizer = self.optimizer or defaults.optimizer
        # Published betas belong to the published optimiser.
        is_published = optimizer == defaults.optimizer
        betas = defaults.betas if is_published else OPTIMIZERS[optimizer].betas
        by_model = {
            "loss": spec.objective,
            "optimizer": optimizer,
            "z_dim": defaults.z_dim,
            "learning_rate_g": defaults.learning_rate,
            "learning_rate_d": defaults.learning_rate,
            "beta1": betas[0],
            "beta2": betas[1],
            "critic_steps": defaults.critic_steps,
            "gp_weight": defaults.gp_weight,
            "weight_clip": defaults.weight_clip,
            "critic_norm": defaults.critic_norm,
            "score_every": defaults.score_every,
        }
        chosen: dict[str, Any] = {
            name: value for name, value in by_model.items() if getattr(self, name) is None
        }
        if self.steps is None and self.kimg is None and self.minutes is None:
            chosen["steps"] = DEFAULT_STEPS
        resolved = replace(self, **chosen)
        check_techniques(resolved)
        return resolved

    def build_model_config(
        self, channels: int, resolution: int, labels: LabelLayout = NO_LABELS
    ) -> ModelConfig:
        """Build the networks' description for images of that many channels and pixels a side."""
        config = self.resolve()
        model = ModelConfig(
            model=config.model,
            z_dim=int(config.z_dim or 0),
            width=config.width,
            img_channels=channels,
            img_resolution=resolution,
            critic_norm=str(config.critic_norm),
            has_minibatch_stddev=config.has_minibatch_stddev,
            has_self_attention=config.has_self_attention,
            labels=labels,
            predictor_layer=config.predictor_layer,
            has_projection=config.has_projection,
        )
        check_model_config(model)
        return model

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
        return cls(**drop_idle_norm(values))
