"""The toolbox: techniques of GAN training as options, and the rules they have among each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from training.diff_augment import AUGMENTATIONS, parse_policy
from training.errors import ConfigError
from training.label_options import LabelOptions
from training.losses import OBJECTIVES, Objective
from training.models import CRITIC_NORMS, MODELS, get_model_spec
from training.optimizers import OPTIMIZERS
from training.options import option
from training.read_augment import parse_read_policy

if TYPE_CHECKING:
    from training.config import TrainConfig

FEATURE_NORMS = ("batch", "layer")


@dataclass(frozen=True, kw_only=True)
class TechniqueOptions(LabelOptions):
    """Hold the options of a training that are techniques with a name of their own."""

    loss: str | None = option(
        None,
        "adversarial loss (the model's; hinge: Lim and Ye 2017, Miyato et al. 2018)",
        kind=str,
        choices=tuple(OBJECTIVES),
        term="loss",
    )
    optimizer: str | None = option(
        None,
        "optimiser of both networks (adam; wgan: rmsprop)",
        kind=str,
        choices=tuple(OPTIMIZERS),
        term="optimiser",
    )
    learning_rate_g: float | None = option(
        None,
        "step size of the generator (2e-4; wgan_gp, label_gan: 1e-4; wgan: 5e-5)",
        low=1e-8,
        high=1.0,
        term="generator's learning rate",
    )
    learning_rate_d: float | None = option(
        None,
        "step size of the discriminator (2e-4; wgan_gp, label_gan: 1e-4; wgan: 5e-5); a larger one "
        "than the generator's keeps it ahead without more steps: two time scales",
        low=1e-8,
        high=1.0,
        term="discriminator's learning rate",
        source="Heusel et al. 2017",
    )
    lr_decay: float = option(
        0.0,
        "share of the training, its last, over which both learning rates fall linearly to zero; "
        "0: constant; not with --minutes",
        low=0.0,
        high=1.0,
        term="linear decay of the learning rates over the last share",
        source="Gulrajani et al. 2017",
    )
    critic_steps: int | None = option(
        None,
        "discriminator steps per generator step (1; label_gan: 3; wgan, wgan_gp: 5)",
        kind=int,
        low=1,
        high=100,
        term="critic steps",
    )
    gp_weight: float | None = option(
        None,
        "weight of the gradient penalty (0; wgan_gp, label_gan: 10)",
        low=0.0,
        high=1e4,
        term="gradient penalty",
        source="Gulrajani et al. 2017",
    )
    weight_clip: float | None = option(
        None,
        "bound of every weight of the discriminator after each of its steps; 0: none "
        "(0; wgan: 0.01)",
        low=0.0,
        high=100.0,
        term="weight clipping",
        source="Arjovsky et al. 2017",
    )
    critic_norm: str | None = option(
        None,
        "normalisation in the discriminator (batch; wgan_gp: layer; sgan, label_gan: none); "
        "spectral: of its weights (Miyato et al. 2018)",
        kind=str,
        choices=CRITIC_NORMS,
        term="critic's normalisation",
    )
    label_smoothing: float = option(
        0.0,
        "how much less than 1 the discriminator's label of real images is: one-sided label "
        "smoothing, for the non_saturating loss",
        low=0.0,
        high=0.5,
        term="one-sided label smoothing",
        source="Salimans et al. 2016",
    )
    instance_noise: float = option(
        0.0,
        "deviation of the noise added to all images the discriminator sees, which are in [-1, 1]",
        low=0.0,
        high=2.0,
        term="instance noise",
        source="Sonderby et al. 2017",
    )
    diff_augment: str = option(
        "",
        "transform all images the discriminator sees, differentiably: any of "
        f"{','.join(AUGMENTATIONS)}, with commas",
        kind=str,
        term="differentiable augmentation",
        source="Zhao et al. 2020",
    )
    skip_discriminator_above: float = option(
        1.0,
        "leave out the discriminator's step where its accuracy on the batch is above this; 1: "
        "never. Reads a number from the device each time, which costs a GPU some speed",
        low=0.5,
        high=1.0,
        term="discriminator's steps left out above accuracy",
    )
    feature_matching: float = option(
        0.0,
        "weight, in the generator's loss, of the squared distance between the mean last hidden "
        "features of real and of generated images",
        low=0.0,
        high=1e4,
        term="feature matching",
        source="Salimans et al. 2016",
    )
    historical_averaging: float = option(
        0.0,
        "weight, in both losses, of the squared distance of the weights from their mean so far",
        low=0.0,
        high=1e4,
        term="historical averaging",
        source="Salimans et al. 2016",
    )
    has_minibatch_stddev: bool = option(
        False,
        "show the discriminator's last layer how much the images of a group of four differ",
        kind=bool,
        flag="--minibatch-stddev",
        term="minibatch standard deviation",
        source="Karras et al. 2018",
    )
    has_self_attention: bool = option(
        False,
        "self-attention on the 32x32 feature maps of both networks; for dcgan, wgan and wgan_gp of "
        "64 pixels or more",
        kind=bool,
        flag="--self-attention",
        term="self-attention",
        source="Zhang et al. 2019",
    )
    grad_accum: int = option(
        1,
        "split each batch into so many equal parts and average their gradients: less memory. "
        "Batch norm, minibatch statistics and feature matching see one part at a time",
        kind=int,
        low=1,
        high=1024,
        term="gradient accumulation over parts",
    )


@dataclass(frozen=True)
class Rule:
    """Hold what options must not be together: when, and the sentence that says what to do."""

    is_broken: Callable[["TrainConfig"], bool]
    sentence: str


RULES = (
    Rule(
        lambda config: not get_model_spec(config.model).has_labels and _has_label_options(config),
        "{model} takes no labels, and options of labels were given: choose --model label_gan or "
        "leave them out.",
    ),
    Rule(
        lambda config: bool(config.label_smoothing) and not _get_objective(config).has_labels,
        "--label-smoothing softens the labels of the non_saturating loss, and the loss is "
        "{loss}: choose --loss non_saturating or leave --label-smoothing out.",
    ),
    Rule(
        lambda config: (
            config.skip_discriminator_above < 1 and not _get_objective(config).has_boundary
        ),
        "--skip-discriminator-above needs a loss that tells real from fake at logit 0, and the "
        "loss is {loss}: choose --loss non_saturating or hinge, or leave it out.",
    ),
    Rule(
        lambda config: bool(config.weight_clip) and config.critic_norm == "spectral",
        "--weight-clip {weight_clip} has no effect on weights that --critic-norm spectral "
        "normalises: leave one of them out.",
    ),
    Rule(
        lambda config: _has_idle_norm(config.model, config.critic_norm),
        "--critic-norm {critic_norm} normalises feature maps, and {model} has none: choose none "
        "or spectral.",
    ),
    Rule(
        lambda config: config.optimizer == "rmsprop" and bool(config.beta1),
        "--beta1 is {beta1}, and RMSprop has no first decay: leave --beta1 out or choose "
        "--optimizer adam.",
    ),
    Rule(
        lambda config: bool(config.lr_decay) and config.minutes is not None,
        "--lr-decay needs an end that is known beforehand: give --steps or --kimg instead of "
        "--minutes, or leave it out.",
    ),
    Rule(
        lambda config: config.batch_size % config.grad_accum != 0,
        "--grad-accum {grad_accum} does not divide --batch-size {batch_size} into equal parts: "
        "choose a divisor of the batch size.",
    ),
    Rule(
        lambda config: config.batch_size < 2 * config.grad_accum,
        "--grad-accum {grad_accum} leaves parts of one image of --batch-size {batch_size}: choose "
        "a smaller number, since batch norm needs two images.",
    ),
    Rule(
        lambda config: config.cuda_graph and config.skip_discriminator_above < 1,
        "--cuda-graph replays the same computations in every step, and --skip-discriminator-above "
        "leaves some out: leave one of them out.",
    ),
    Rule(
        lambda config: config.cuda_graph and bool(config.historical_averaging),
        "--cuda-graph replays the same computations in every step, and those of "
        "--historical-averaging change with the step: leave one of them out.",
    ),
)


def drop_idle_norm(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options without a norm of feature maps that networks without any never had.

    Earlier versions noted one for them.
    """
    is_idle = _has_idle_norm(values.get("model", ""), values.get("critic_norm"))
    return {**values, "critic_norm": "none"} if is_idle else dict(values)


def _has_idle_norm(model: Any, norm: Any) -> bool:
    """Tell whether a norm is of feature maps, and a model is known to have none."""
    spec = MODELS.get(model) if isinstance(model, str) else None
    return norm in FEATURE_NORMS and spec is not None and not spec.is_convolutional


def check_techniques(config: "TrainConfig") -> None:
    """Raise ConfigError if options of a resolved configuration contradict each other."""
    parse_policy(config.diff_augment)
    parse_read_policy(config.predictor_augment)
    for rule in RULES:
        if rule.is_broken(config):
            raise ConfigError(rule.sentence.format(**config.to_dict()))


def describe_techniques(values: Mapping[str, Any], defaults: TechniqueOptions) -> str:
    """Name the techniques in which a training's options differ from defaults, with their papers.

    Options that older versions did not know count as default; the result is "" if none differs.
    """
    parts, values = [], drop_idle_norm(values)
    for item in fields(TechniqueOptions):
        value = values.get(item.name, getattr(defaults, item.name))
        if value is None or value == getattr(defaults, item.name):
            continue
        facts = item.metadata
        text = facts["term"] if value is True else f"{facts['term']} {_format_value(value)}"
        parts.append(f"{text} ({facts['source']})" if facts["source"] else text)
    return "; ".join(parts)


def _has_label_options(config: "TrainConfig") -> bool:
    return any(getattr(config, item.name) != item.default for item in fields(LabelOptions))


def _get_objective(config: "TrainConfig") -> Objective:
    return OBJECTIVES[str(config.loss)]


def _format_value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
