"""One step of adversarial training: several discriminator updates, then one of the generator."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, profiler

from training.batches import RealBatch
from training.config import TrainConfig
from training.devices import send
from training.ema import AveragedGenerator, warm_up_decay
from training.models import ModelConfig
from training.processes import ALONE, Processes
from training.step_graph import build_updates
from training.updates import Batch, NetworkUpdates


class AdversarialStep:
    """Draw what a step needs, move both networks by it, and average the generator.

    With ``config.cuda_graph`` what is computed of the drawn batches is recorded once and replayed.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: ModelConfig,
        device: torch.device,
        has_autocast: bool,
        processes: Processes = ALONE,
    ) -> None:
        self.config, self.model, self.device = config, model, device
        self.has_autocast = has_autocast
        self._processes = processes
        self.updates = NetworkUpdates(config, model, device, has_autocast, processes)
        self._computed = build_updates(self.updates, config.cuda_graph, device, processes.num)
        self.generator, self.discriminator = self.updates.generator, self.updates.discriminator
        self.optimizer_g, self.optimizer_d = self.updates.optimizer_g, self.updates.optimizer_d
        self._average = AveragedGenerator(self.generator)
        self.generator_ema = self._average.network
        # One CPU generator draws latents and epsilons: its state makes a resume exact.
        self.rng = torch.Generator().manual_seed(config.seed)

    def set_progress(self, fraction: float) -> None:
        """Set the learning rates for a fraction of the training that is done, 0 to 1."""
        self.optimizer_g.set_progress(fraction)
        self.optimizer_d.set_progress(fraction)

    def run(self, step: int, draw_real: Callable[[], RealBatch]) -> Tensor:
        """Run generator step number ``step`` (from 1); returns STAT_NAMES as one tensor (9,)."""
        self.updates.seed_noise(step)
        stats = self._computed.run(self._draw_batches(draw_real))
        with profiler.record_function("ema"):
            self._average.update(warm_up_decay(self.config.ema_decay, step))
        return stats

    @property
    def is_next_recorded(self) -> bool:
        """Tell whether the next step is recorded: nothing else may ask a GPU for work meanwhile.

        Libraries that search for their fastest algorithms in another thread would break it.
        """
        return self._computed.is_next_recorded

    def set_templates(self, templates: Tensor) -> None:
        """Give both generators the images that their labels begin with."""
        for generator in (self.generator, self.generator_ema):
            generator.get_buffer("templates").copy_(templates)

    def state_dict(self) -> dict[str, Any]:
        """Return everything a resume needs to go on as if there had been no break."""
        return {
            "generator": self.generator.state_dict(),
            "generator_ema": self.generator_ema.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer_g": self.optimizer_g.state_dict(),
            "optimizer_d": self.optimizer_d.state_dict(),
            "rng": self.rng.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.generator.load_state_dict(state["generator"])
        self.generator_ema.load_state_dict(state["generator_ema"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer_g.load_state_dict(state["optimizer_g"])
        self.optimizer_d.load_state_dict(state["optimizer_d"])
        self.rng.set_state(state["rng"].cpu())
        self._computed.forget()

    def get_learning_rates(self) -> dict[str, float]:
        """Return the learning rates in use, as rows of metrics name them."""
        return {
            "learning_rate_g": self.optimizer_g.rate,
            "learning_rate_d": self.optimizer_d.rate,
        }

    def scale_learning_rates(self, factor: float) -> dict[str, float]:
        """Multiply both learning rates, from now on and over resumes; returns the new ones."""
        return {
            "learning_rate_g": self.optimizer_g.scale_base_rate(factor),
            "learning_rate_d": self.optimizer_d.scale_base_rate(factor),
        }

    def _draw_batches(self, draw_real: Callable[[], RealBatch]) -> Iterator[Batch]:
        """Draw a batch for each update of the discriminator, when it is asked for."""
        for _ in range(int(self.config.critic_steps or 1)):
            yield self._draw_batch(draw_real)

    def _draw_batch(self, draw_real: Callable[[], RealBatch]) -> Batch:
        size, device = self.config.batch_size, self.device
        latents = torch.randn((size, self.model.z_dim), generator=self.rng)
        latents = self._processes.share(latents)
        if self.config.gp_weight:
            epsilon = send(self._processes.share(torch.rand(size, generator=self.rng)), device)
        else:
            epsilon = torch.zeros(len(latents), device=device)
        with profiler.record_function("data"):
            real = draw_real()
        return Batch(send(latents, device), real.images, real.labels, epsilon)
