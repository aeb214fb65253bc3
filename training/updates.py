"""What one step computes of the batches that were drawn for it, and nothing else.

Nothing here waits for the device or depends on how far the training is, unless an option says so:
what a step computes can be recorded once and replayed (see `step_graph.py`).
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn, profiler

from training.config import TrainConfig
from training.diff_augment import parse_policy, perturb
from training.label_task import build_label_task
from training.losses import (
    build_objective,
    compute_accuracy,
    compute_feature_distance,
    compute_gradient_penalty,
)
from training.models import ModelConfig, build_discriminator, build_generator
from training.optimizers import NetworkOptimizer
from training.processes import ALONE, Processes

# Accuracy is null for losses without a boundary; what was skipped is a share of critic steps.
# The predictor's losses, on what it learns from and on generated images, are null without labels.
STAT_NAMES = (
    *("loss_d", "loss_g", "penalty", "d_real", "d_fake", "d_accuracy", "d_skipped"),
    *("loss_predictor", "loss_labels"),
)

Network = TypeVar("Network", bound=nn.Module)
Stats = dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """Hold what one discriminator update draws: latents (N, z_dim), real images, epsilon (N,).

    ``epsilon`` is the share of the real image at the points of the gradient penalty. Generated
    images are to have the ``labels`` (N, L) of the real ones; L is 0 without labels.
    """

    latents: Tensor
    real_images: Tensor
    labels: Tensor
    epsilon: Tensor

    def split(self, num_parts: int) -> list["Batch"]:
        """Split into equal parts."""
        columns = (self.latents, self.real_images, self.labels, self.epsilon)
        parts = zip(*(column.chunk(num_parts) for column in columns), strict=True)
        return [Batch(*part) for part in parts]


class NetworkUpdates:
    """Move discriminator and generator by what their losses on drawn batches say."""

    def __init__(
        self,
        config: TrainConfig,
        model: ModelConfig,
        device: torch.device,
        has_autocast: bool,
        processes: Processes = ALONE,
    ) -> None:
        self._config, self._device, self._has_autocast = config, device, has_autocast
        self._processes = processes
        self.objective = build_objective(str(config.loss), config.label_smoothing)
        self._augmentations = parse_policy(config.diff_augment)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            generator, discriminator = build_generator(model), build_discriminator(model)
        self.generator = processes.synchronize_norms(_place(generator, device))
        self.discriminator = processes.synchronize_norms(_place(discriminator, device))
        # For each network's own update, in which several processes average its gradients.
        self._shared_generator = processes.wrap(self.generator)
        self._shared_discriminator = processes.wrap(self.discriminator)
        # What is drawn on the device comes from one generator that is seeded anew at each step.
        self.noise_rng = torch.Generator(device)
        self._label_task = build_label_task(config, model.labels, self.noise_rng)
        self.optimizer_g = NetworkOptimizer(self.generator, config, config.learning_rate_g)
        self.optimizer_d = NetworkOptimizer(
            self.discriminator, config, config.learning_rate_d, float(config.weight_clip or 0.0)
        )

    def seed_noise(self, step: int) -> None:
        """Begin a step's noise: each process has its own, and a resume has it again."""
        self.noise_rng.manual_seed(mix_seed(self._config.seed, self._processes.rank, step))

    @property
    def is_next_recorded(self) -> bool:
        """Return False: steps are computed anew each time."""
        return False

    def forget(self) -> None:
        """Do nothing: nothing is kept from one step to the next."""

    def run(self, batches: Iterable[Batch]) -> Tensor:
        """Update the discriminator on each batch, then the generator; returns STAT_NAMES (9,)."""
        num_turns = int(self._config.critic_steps or 1)
        rows: list[Stats] = []
        num_skipped = 0
        for turn, batch in enumerate(batches, 1):
            # The last fake batch serves the generator's own update too: one forward pass less.
            # Of several parts none is kept, since keeping them all would take the memory of one.
            is_kept = turn == num_turns and self._config.grad_accum == 1
            with profiler.record_function("discriminator"):
                stats, fake_images, is_skipped = self._update_discriminator(batch, is_kept)
            num_skipped += is_skipped
            rows.append(stats)
        stats = average_stats(rows)
        with profiler.record_function("generator"):
            stats.update(self._update_generator(batch, fake_images if is_kept else None))
        stats["d_skipped"] = torch.full((), num_skipped / num_turns, device=self._device)
        return self._processes.average(torch.stack([stats[name] for name in STAT_NAMES]))

    def _update_discriminator(self, batch: Batch, has_graph: bool) -> tuple[Stats, Tensor, bool]:
        """Move the discriminator a step, unless it is to be skipped.

        Returns what was measured, the (last part's) fake images, with their graph if it is asked
        for, and whether the step was skipped.
        """
        self.discriminator.requires_grad_(True)
        self.optimizer_d.zero_grad()
        num_parts = self._config.grad_accum
        rows: list[Stats] = []
        for part, context in self._split(batch, self._shared_discriminator):
            with context:
                with torch.set_grad_enabled(has_graph):
                    fake_images = self._generate(part)
                loss, stats = self.compute_critic_loss(part, fake_images.detach())
                (loss / num_parts).backward()
            rows.append(stats)
        means = average_stats(rows)
        # Gradients are there in any case: whoever else computes them needs no word about it.
        is_skipped = self._is_winning(means["d_accuracy"])
        if not is_skipped:
            self.optimizer_d.step()
        return means, fake_images, is_skipped

    def compute_critic_loss(self, part: Batch, fake_images: Tensor) -> tuple[Tensor, Stats]:
        """Compute the discriminator's loss: the one place that calls it for its own update."""
        real_images, fake_images = self._perturb(part.real_images), self._perturb(fake_images)
        penalty = torch.zeros((), device=self._device)
        with self._autocast():
            real_logits, real_reading = self._label_task.judge(
                self._shared_discriminator, real_images, part.labels, is_real=True
            )
            fake_logits, fake_reading = self._label_task.judge(
                self._shared_discriminator, fake_images, part.labels, is_real=False
            )
            real_logits, fake_logits = real_logits.float(), fake_logits.float()  # (N,)
            if self._config.gp_weight:
                penalty = compute_gradient_penalty(
                    self._label_task.bind(self._shared_discriminator, part.labels),
                    real_images,
                    fake_images.type_as(real_images),
                    part.epsilon,
                )
        loss = self.objective.compute_discriminator_loss(real_logits, fake_logits)
        total = loss + float(self._config.gp_weight or 0.0) * penalty
        reading = real_reading + fake_reading
        return total + reading, {
            "loss_d": total.detach(),
            "loss_predictor": self._label_task.report(reading),
            "penalty": penalty.detach(),
            **self._summarize_logits(real_logits.detach(), fake_logits.detach()),
        }

    def _update_generator(self, batch: Batch, fake_images: Tensor | None) -> Stats:
        """Move the generator a step on the batch's latents; returns its losses.

        ``fake_images`` are those of the whole batch with their graph, if there are any already.
        """
        # Without gradients for the discriminator's weights the backward pass is a third shorter.
        self.discriminator.requires_grad_(False)
        self.optimizer_g.zero_grad()
        num_parts = self._config.grad_accum
        rows: list[Stats] = []
        for part, context in self._split(batch, self._shared_generator):
            with context:
                images = self._generate(part) if fake_images is None else fake_images
                loss, stats = self.compute_generator_loss(images, part)
                (loss / num_parts).backward()
            rows.append(stats)
        self.optimizer_g.step()
        return average_stats(rows)

    def compute_generator_loss(self, fake_images: Tensor, part: Batch) -> tuple[Tensor, Stats]:
        """Compute the generator's loss: the one place that calls the discriminator for it."""
        weight = self._config.feature_matching
        with self._autocast():
            seen = self._perturb(fake_images)
            features = self.discriminator.extract_features(seen)
            fake_logits = self._label_task.judge_features(
                self.discriminator, features, part.labels
            ).float()  # (N,)
            reading = self._label_task.compute_generator_loss(self.discriminator, seen, part.labels)
        loss = self.objective.compute_generator_loss(fake_logits)
        if weight:
            with torch.no_grad(), self._autocast():
                wanted = self.discriminator.extract_features(self._perturb(part.real_images))
            loss = loss + weight * compute_feature_distance(wanted, features)
        stats = {"loss_g": loss.detach(), "loss_labels": self._label_task.report(reading)}
        return loss + self._config.predictor_weight * reading, stats

    def _split(
        self, batch: Batch, network: nn.Module
    ) -> Iterator[tuple[Batch, AbstractContextManager[Any]]]:
        """Yield the parts of a batch, each with the context for its forward and backward pass.

        Processes average a network's gradients once, with the last part.
        """
        parts = batch.split(self._config.grad_accum)
        for part in parts[:-1]:
            yield part, self._processes.pause_averaging(network)
        yield parts[-1], nullcontext()

    def _generate(self, part: Batch) -> Tensor:
        with profiler.record_function("generator"), self._autocast():
            images: Tensor = self._shared_generator(part.latents, part.labels)  # (N, C, H, W)
        return images

    def _perturb(self, images: Tensor) -> Tensor:
        """Change images as everything the discriminator sees is changed: augmentation, noise.

        Instance noise (Sonderby et al. 2017) lets flat real images and grainy fakes overlap.
        """
        return perturb(images, self._augmentations, self._config.instance_noise, self.noise_rng)

    def _is_winning(self, accuracy: Tensor) -> bool:
        """Tell whether the discriminator is so far ahead that its step is left out."""
        threshold = self._config.skip_discriminator_above
        # Only where it is asked for: reading the comparison waits for the device.
        return threshold < 1 and bool(self._processes.average(accuracy) > threshold)

    def _summarize_logits(self, real_logits: Tensor, fake_logits: Tensor) -> Stats:
        accuracy = torch.full((), torch.nan, device=self._device)
        if self.objective.has_boundary:
            accuracy = compute_accuracy(real_logits, fake_logits)
        if self.objective.are_logits_probabilities:
            real_logits, fake_logits = real_logits.sigmoid(), fake_logits.sigmoid()
        return {"d_real": real_logits.mean(), "d_fake": fake_logits.mean(), "d_accuracy": accuracy}

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._has_autocast)


def average_stats(rows: list[Stats]) -> Stats:
    """Average what was measured on the parts of a batch, or in the turns of a step."""
    if len(rows) == 1:
        return rows[0]
    return {name: torch.stack([row[name] for row in rows]).mean() for name in rows[0]}


def mix_seed(*parts: int) -> int:
    """Mix numbers into one seed of 32 bits: a CPU's generator takes no more, and drops the rest."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _place(network: Network, device: torch.device) -> Network:
    placed: Network = network.to(device).to(memory_format=torch.channels_last)
    return placed.train()
