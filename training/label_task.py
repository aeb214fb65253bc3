"""What labels add to a step: the predictor's loss, and critics that see labels."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from training.config import TrainConfig
from training.diff_augment import perturb
from training.labels import LabelLayout
from training.read_augment import parse_read_policy

Judge = Callable[[Tensor], Tensor]


class NoLabels:
    """Do what a step of a model without labels does: its discriminator sees images alone."""

    def judge(
        self, critic: nn.Module, images: Tensor, labels: Tensor, is_real: bool
    ) -> tuple[Tensor, Tensor]:
        """Return logits (N,), and the loss of a predictor that learns from these images, or 0."""
        return critic(images), torch.zeros((), device=images.device)

    def bind(self, critic: nn.Module, labels: Tensor) -> Judge:
        """Return the critic as a function of images alone, of these labels."""
        return critic

    def judge_features(self, critic: nn.Module, features: Tensor, labels: Tensor) -> Tensor:
        """Map the critic's features to logits (N,)."""
        logits: Tensor = critic.judge(features)  # type: ignore[operator]
        return logits

    def compute_generator_loss(self, critic: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Return how badly the predictor reads the labels off generated images; not weighted."""
        return torch.zeros((), device=images.device)

    def report(self, loss: Tensor) -> Tensor:
        """Return a predictor's loss as it is to be reported: not a number without labels."""
        return torch.full_like(loss, torch.nan)


class LabelTask(NoLabels):
    """Let a predictor learn labels, and the generator make them readable (Wachsmann 2017).

    What the predictor reads may be changed before: noise, random crops, blur and the like make what
    is hidden in single pixels unreadable, for the predictor as for the independent reader.
    """

    def __init__(self, config: TrainConfig, layout: LabelLayout, rng: torch.Generator) -> None:
        self._config, self._layout, self._rng = config, layout, rng
        self._augmentations = parse_read_policy(config.predictor_augment)

    def judge(
        self, critic: nn.Module, images: Tensor, labels: Tensor, is_real: bool
    ) -> tuple[Tensor, Tensor]:
        """Return logits (N,), and the loss of a predictor that learns from these images, or 0."""
        if self._config.predictor_data not in ("both", "real" if is_real else "fake"):
            return critic(images, labels), torch.zeros((), device=images.device)
        logits, vectors = critic(
            images, labels, self._prepare(images), self._config.predictor_moves_critic
        )
        return logits, self._layout.compute_loss(vectors, labels)

    def bind(self, critic: nn.Module, labels: Tensor) -> Judge:
        """Return the critic as a function of images alone, of these labels."""
        return partial(critic, labels=labels)

    def judge_features(self, critic: nn.Module, features: Tensor, labels: Tensor) -> Tensor:
        """Map the critic's features to logits (N,)."""
        logits: Tensor = critic.judge(features, labels)  # type: ignore[operator]
        return logits

    def compute_generator_loss(self, critic: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Return how badly the predictor reads the labels off generated images; not weighted."""
        vectors: Tensor = critic.read(self._prepare(images))  # type: ignore[operator]
        return self._layout.compute_loss(vectors, labels)

    def report(self, loss: Tensor) -> Tensor:
        """Return a predictor's loss as it is to be reported."""
        return loss.detach()

    def _prepare(self, images: Tensor) -> Tensor:
        """Change images as the predictor is to see them."""
        return perturb(images, self._augmentations, self._config.predictor_noise, self._rng)


def build_label_task(config: TrainConfig, layout: LabelLayout, rng: torch.Generator) -> NoLabels:
    """Build what a model with these labels needs; a model may have none."""
    return LabelTask(config, layout, rng) if len(layout) else NoLabels()
