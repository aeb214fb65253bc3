"""The options from which a generator and its discriminator are built."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from training.errors import ConfigError
from training.labels import NO_LABELS, LabelLayout

RESOLUTIONS = (32, 64, 128, 256)
CRITIC_NORMS = ("batch", "layer", "spectral", "none")
# Where self-attention sits (Zhang et al. 2019); feature maps end at half the image's side.
ATTENTION_RESOLUTION = 32


@dataclass(frozen=True)
class ModelConfig:
    """Describe a network pair: registry name, latent size, width, image shape, critic norm.

    ``width`` is the number of feature maps at the stage next to the image (64 in the thesis).
    ``critic_norm`` is "batch", "layer" (GroupNorm over all channels; same parameter count),
    "spectral" (of the weights, Miyato et al. 2018) or "none". It and ``has_minibatch_stddev``
    (Karras et al. 2018) concern the discriminator, ``has_self_attention`` (Zhang et al. 2019) both.
    ``labels`` are what a generator takes; where its discriminator has a predictor of them, that
    reads after ``predictor_layer`` convolutions, and with ``has_projection`` (Miyato and Koyama
    2018) the discriminator judges how well images fit their labels.
    """

    model: str
    z_dim: int
    width: int = 64
    img_channels: int = 3
    img_resolution: int = 64
    critic_norm: str = "batch"
    has_minibatch_stddev: bool = False
    has_self_attention: bool = False
    labels: LabelLayout = NO_LABELS
    predictor_layer: int = 2
    has_projection: bool = False

    def __post_init__(self) -> None:
        _check_count("z_dim", self.z_dim, 1, 4096)
        _check_count("width", self.width, 1, 512)
        _check_count("predictor_layer", self.predictor_layer, 0, 8)
        if self.img_channels not in (1, 3):
            raise ConfigError(
                f"img_channels is {self.img_channels!r}: expected 1 (grey) or 3 (RGB)."
            )
        if self.img_resolution not in RESOLUTIONS:
            raise ConfigError(
                f"The models cannot make {self.img_resolution!r}-pixel images: choose a resolution "
                f"out of {', '.join(map(str, RESOLUTIONS))}."
            )
        if self.critic_norm not in CRITIC_NORMS:
            raise ConfigError(
                f"critic_norm is {self.critic_norm!r}: expected one of {', '.join(CRITIC_NORMS)}."
            )
        if self.has_self_attention and self.img_resolution <= ATTENTION_RESOLUTION:
            raise ConfigError(
                f"Self-attention is on feature maps of {ATTENTION_RESOLUTION}x"
                f"{ATTENTION_RESOLUTION}, which networks for {self.img_resolution}-pixel images "
                "lack: choose a larger resolution or leave --self-attention out."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain JSON values."""
        values = {**asdict(self), "labels": self.labels.to_list()}
        if self.labels.examples:
            values["label_examples"] = self.labels.list_examples()
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelConfig":
        """Build from plain JSON values; unknown or missing names raise ConfigError."""
        values = dict(values)
        examples = values.pop("label_examples", ())
        # Written by versions without labels, which knew no model that took any.
        if values.get("num_classes") == 0:
            del values["num_classes"]
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"Unknown model options: {', '.join(map(str, unknown))}.")
        missing = [name for name in ("model", "z_dim") if name not in values]
        if missing:
            raise ConfigError(f"Missing model options: {', '.join(missing)}.")
        if not isinstance(values["model"], str):
            raise ConfigError(f"The model's name is {values['model']!r}: expected a text.")
        layout = LabelLayout.from_list(values.pop("labels", ()), examples)
        return cls(**values, labels=layout)


def _check_count(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}: expected a whole number from {low} to {high}.")
