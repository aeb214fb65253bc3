"""One step of adversarial training: several discriminator updates, then one of the generator."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn, profiler

from training.config import TrainConfig
from training.ema import build_ema, update_ema, warm_up_decay
from training.losses import OBJECTIVES, compute_gradient_penalty
from training.models import ModelConfig, build_discriminator, build_generator, get_model_spec

STAT_NAMES = ("loss_d", "loss_g", "penalty", "d_real", "d_fake")


@dataclass(frozen=True)
class CriticLoss:
    """Hold a discriminator's loss and what it was made of, as scalars on the device."""

    total: Tensor
    penalty: Tensor
    real_logits: Tensor
    fake_logits: Tensor


class AdversarialStep:
    """Own both networks, their optimisers and the averaged generator, and move them a step."""

    def __init__(
        self, config: TrainConfig, model: ModelConfig, device: torch.device, has_autocast: bool
    ) -> None:
        self.config, self.model, self.device = config, model, device
        self._objective = OBJECTIVES[get_model_spec(config.model).objective]
        self._has_autocast = has_autocast
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            generator, discriminator = build_generator(model), build_discriminator(model)
        self.generator = _place(generator, device)
        self.discriminator = _place(discriminator, device)
        self.generator_ema = build_ema(self.generator)
        # One CPU generator draws everything random in a step: its state makes a resume exact.
        self.rng = torch.Generator().manual_seed(config.seed)
        self._noise_rng = torch.Generator(device)
        self._optimizer_g = _build_adam(self.generator, config.learning_rate_g, config)
        self._optimizer_d = _build_adam(self.discriminator, config.learning_rate_d, config)

    def run(self, step: int, draw_real: Callable[[torch.device], Tensor]) -> Tensor:
        """Run generator step number ``step`` (from 1); returns STAT_NAMES as one tensor (5,)."""
        num_critic_steps = int(self.config.critic_steps or 1)
        # Seeded per step: drawn on the device, and still the same after a resume.
        self._noise_rng.manual_seed(self.config.seed + (step << 32))
        self.discriminator.requires_grad_(True)
        for turn in range(1, num_critic_steps + 1):
            # The last fake batch serves the generator's own update too: one forward pass less.
            with (
                profiler.record_function("generator"),
                torch.set_grad_enabled(turn == num_critic_steps),
                self._autocast(),
            ):
                fake_images = self.generator(self._draw_latents())  # (N, C, H, W)
            with profiler.record_function("data"):
                real_images = draw_real(self.device)
            with profiler.record_function("discriminator"):
                critic = self._compute_critic_loss(
                    self._add_noise(real_images), self._add_noise(fake_images.detach())
                )
                _take_step(self._optimizer_d, critic.total)
        with profiler.record_function("generator"):
            loss_g = self._update_generator(fake_images)
        with profiler.record_function("ema"):
            decay = warm_up_decay(self.config.ema_decay, step)
            update_ema(self.generator_ema, self.generator, decay)
        return torch.stack(
            [
                critic.total.detach(),
                loss_g.detach(),
                critic.penalty.detach(),
                self._summarize_logits(critic.real_logits),
                self._summarize_logits(critic.fake_logits),
            ]
        )

    def state_dict(self) -> dict[str, Any]:
        """Return everything a resume needs to go on as if there had been no break."""
        return {
            "generator": self.generator.state_dict(),
            "generator_ema": self.generator_ema.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer_g": self._optimizer_g.state_dict(),
            "optimizer_d": self._optimizer_d.state_dict(),
            "rng": self.rng.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.generator.load_state_dict(state["generator"])
        self.generator_ema.load_state_dict(state["generator_ema"])
        self.discriminator.load_state_dict(state["discriminator"])
        self._optimizer_g.load_state_dict(state["optimizer_g"])
        self._optimizer_d.load_state_dict(state["optimizer_d"])
        self.rng.set_state(state["rng"].cpu())

    def _compute_critic_loss(self, real_images: Tensor, fake_images: Tensor) -> CriticLoss:
        with self._autocast():
            real_logits = self.discriminator(real_images).float()  # (N,)
            fake_logits = self.discriminator(fake_images).float()  # (N,)
            penalty = torch.zeros((), device=self.device)
            if self.config.gp_weight:
                epsilon = torch.rand(len(real_images), generator=self.rng).to(self.device)
                penalty = compute_gradient_penalty(
                    self.discriminator, real_images, fake_images.float(), epsilon
                )
        loss = self._objective.compute_discriminator_loss(real_logits, fake_logits)
        total = loss + float(self.config.gp_weight or 0.0) * penalty
        return CriticLoss(total, penalty, real_logits.detach(), fake_logits.detach())

    def _update_generator(self, fake_images: Tensor) -> Tensor:
        # Without gradients for the discriminator's weights the backward pass is a third shorter.
        self.discriminator.requires_grad_(False)
        with self._autocast():
            fake_logits = self.discriminator(self._add_noise(fake_images)).float()  # (N,)
        loss = self._objective.compute_generator_loss(fake_logits)
        _take_step(self._optimizer_g, loss)
        return loss

    def _add_noise(self, images: Tensor) -> Tensor:
        """Add instance noise (Sonderby et al. 2017): flat real images and grainy fakes overlap."""
        if not self.config.instance_noise:
            return images
        noise = torch.randn(images.shape, generator=self._noise_rng, device=self.device)
        return images + self.config.instance_noise * noise

    def _draw_latents(self) -> Tensor:
        shape = (self.config.batch_size, self.model.z_dim)
        return torch.randn(shape, generator=self.rng).to(self.device, non_blocking=True)

    def _summarize_logits(self, logits: Tensor) -> Tensor:
        is_probability = self._objective.are_logits_probabilities
        return (torch.sigmoid(logits) if is_probability else logits).mean()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._has_autocast)


def _place(network: nn.Module, device: torch.device) -> nn.Module:
    return network.to(device).to(memory_format=torch.channels_last).train()


def _build_adam(
    network: nn.Module, learning_rate: float | None, config: TrainConfig
) -> torch.optim.Adam:
    betas = (float(config.beta1 or 0.0), float(config.beta2 or 0.0))
    return torch.optim.Adam(
        network.parameters(), lr=float(learning_rate or 0.0), betas=betas, fused=True
    )


def _take_step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    with profiler.record_function("optimizer"):
        optimizer.step()
