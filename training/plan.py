"""What a training will do and need, worked out before it starts."""

import math

from training.config import TrainConfig
from training.datasets import ImageDataset
from training.footprint import GIB
from training.free_memory import read_free_bytes
from training.models.summary import count_parameters
from training.step import AdversarialStep
from training.techniques import describe_techniques
from training.trainer import Trainer


def describe_plan(trainer: Trainer) -> str:
    """Describe a training as aligned text: networks, memory, data, goal and files."""
    config, dataset = trainer.config, trainer.dataset
    images_per_step = config.batch_size * int(config.critic_steps or 1)
    model = trainer.engine.model
    defaults = TrainConfig(config.model, config.data, config.name).resolve()
    rows = [
        (
            "model",
            f"{model.model}, width {model.width}, z_dim {model.z_dim}, "
            f"{model.img_channels} x {model.img_resolution} x {model.img_resolution}",
        ),
        ("techniques", describe_techniques(config.to_dict(), defaults) or "as published"),
        ("parameters", _describe_parameters(trainer.engine)),
        ("memory", _describe_memory(trainer, dataset)),
        ("data", f"{dataset.title}: {len(dataset):,} images ({dataset.terms})"),
        *_describe_labels(trainer),
        (
            "images per epoch",
            f"{len(dataset):,} = {len(dataset) / images_per_step:,.0f} steps "
            f"of {config.batch_size} x {config.critic_steps}",
        ),
        ("goal", _describe_goal(config, images_per_step)),
        ("length", _describe_length(trainer, images_per_step)),
        (
            "device",
            f"{trainer.device_name}, {'bf16 autocast' if trainer.engine.has_autocast else 'fp32'}",
        ),
        (
            "score",
            f"{config.extractor}, {config.score_samples:,} samples every "
            f"{config.score_every:,} steps"
            if config.score_every
            else "never",
        ),
        ("run folder", str(trainer.folder.path)),
        ("checkpoint", str(trainer.checkpoint_path)),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)


def _describe_parameters(engine: AdversarialStep) -> str:
    num_g, num_d = count_parameters(engine.generator), count_parameters(engine.discriminator)
    return f"generator {num_g:,}, discriminator {num_d:,}"


def _describe_memory(trainer: Trainer, dataset: ImageDataset) -> str:
    free = read_free_bytes(trainer.device)
    return (
        f"about {trainer.num_bytes_needed / GIB:.2f} GiB for networks and layers' outputs"
        + ("" if free is None else f" ({free / GIB:.2f} GiB are free)")
        + f", {dataset.images.nbytes / GIB:.2f} GiB for images"
    )


def _describe_goal(config: TrainConfig, images_per_step: int) -> str:
    if config.minutes is not None:
        return f"{config.minutes:g} minutes"
    if config.kimg is not None:
        return f"{config.kimg:g} kimg = {1000 * config.kimg / images_per_step:,.0f} steps"
    return f"{config.steps:,} steps = {int(config.steps or 0) * images_per_step / 1000:,.0f} kimg"


def _describe_length(trainer: Trainer, images_per_step: int) -> str:
    """Count what is to be done; how long a step takes is known only of a run that has begun."""
    config, step, seconds = trainer.config, trainer.progress.step, trainer.progress.seconds
    if config.minutes is None:
        goal = int(config.steps or math.ceil(1000 * float(config.kimg or 0) / images_per_step))
    elif seconds:
        goal = round(60 * config.minutes * step / seconds)
    else:
        return f"{config.minutes:g} minutes; how many steps that makes, the run will tell"
    num_steps = max(0, goal - step)
    text = f"{num_steps:,} steps, {num_steps * images_per_step:,} real images"
    if num_steps and config.score_every:
        # One more at the end, where none is due there.
        num_scores = math.ceil(goal / config.score_every) - step // config.score_every
        text += f", {num_scores:,} scores of {config.score_samples:,} samples"
    if step:
        text += f" left: about {num_steps * seconds / step / 60:,.1f} minutes at the speed so far"
    return text


def _describe_labels(trainer: Trainer) -> list[tuple[str, str]]:
    """List the labels to be learned, and who is to read them; none of a model without any."""
    rows = [(f"label {one.name}", one.describe()) for one in trainer.engine.model.labels]
    if rows and trainer.config.score_every:
        trained = "is here" if trainer.has_reader else "is trained first, once: minutes on a CPU"
        rows.append(("reader of labels", trained))
    return rows
