"""Train as an introduction to GANs does: the loop that the training engine is measured against.

Float32, the default memory layout, Adam as PyTorch makes it, no averaged generator, losses read in
every step. Two worker processes turn stored pictures into tensors one by one; decoding them is left
out. The networks are the engine's with PyTorch's own layers, so that only the training differs. The
discriminator rates real images, then fakes; the generator's update rates the fakes anew (Radford et
al. 2016). With a gradient penalty, every critic step takes a fresh real batch and fresh latents,
and the generator's update makes its images anew (Gulrajani et al. 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, RandomSampler

if TYPE_CHECKING:
    from training.config import TrainConfig

# As many images as CelebA has: no epoch ends, and no worker starts anew, while a turn is timed.
EPOCH_IMAGES = 202_599
NUM_WORKERS = 2

Network = TypeVar("Network", bound=nn.Module)


class PictureDataset(Dataset[Tensor]):
    """Give images one at a time: a PIL picture through ToTensor and Normalize, (C, H, W)."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        from torchvision import transforms

        self._pictures = np.ascontiguousarray(images.transpose(0, 2, 3, 1))  # (N, H, W, 3)
        self._transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
        )

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self._pictures)

    def __getitem__(self, index: int) -> Tensor:
        """Return one picture as floats in [-1, 1]."""
        image: Tensor = self._transform(Image.fromarray(self._pictures[index]))
        return image


class PlainLoop:
    """Own two networks, their optimisers and a data loader, and train them a step at a time."""

    def __init__(
        self,
        config: TrainConfig,
        images: NDArray[np.uint8],
        device: torch.device,
        num_workers: int = NUM_WORKERS,
    ) -> None:
        from training.models import build_discriminator, build_generator, get_model_spec

        self.config, self.device = config.resolve(), device
        model = self.config.build_model_config(images.shape[1], images.shape[2])
        self.generator = use_plain_layers(build_generator(model)).to(device)
        self.discriminator = use_plain_layers(build_discriminator(model)).to(device)
        self.optimizer_g = self._build_adam(self.generator, self.config.learning_rate_g)
        self.optimizer_d = self._build_adam(self.discriminator, self.config.learning_rate_d)
        dataset = PictureDataset(images)
        self.loader = DataLoader(
            dataset,
            batch_size=self.config.batch_size,
            sampler=RandomSampler(dataset, replacement=True, num_samples=EPOCH_IMAGES),
            num_workers=num_workers,
            drop_last=True,
        )
        self._take_step = STEPS[get_model_spec(self.config.model).objective]

    def open_batches(self) -> Iterator[Tensor]:
        """Start the workers and yield batches (N, C, H, W) without end; close it to stop them."""
        while True:
            yield from self.loader

    def run_step(self, batches: Iterator[Tensor]) -> tuple[float, float]:
        """Train both networks a step; returns the losses of discriminator and generator."""
        return self._take_step(self, batches)

    def draw_latents(self) -> Tensor:
        """Draw a batch of latents, (N, z_dim)."""
        return torch.randn(self.config.batch_size, int(self.config.z_dim or 0), device=self.device)

    def _build_adam(self, network: nn.Module, learning_rate: float | None) -> torch.optim.Adam:
        betas = (float(self.config.beta1 or 0.0), float(self.config.beta2 or 0.0))
        return torch.optim.Adam(network.parameters(), lr=float(learning_rate or 0.0), betas=betas)


def use_plain_layers(network: Network) -> Network:
    """Turn the layers with gradients of the engine's own into the plain ones they extend."""
    from training.models.layer_norm import LayerNorm2d
    from training.models.strided import StridedConv2d, StridedConvTranspose2d

    plain_kinds = {
        LayerNorm2d: nn.GroupNorm,
        StridedConv2d: nn.Conv2d,
        StridedConvTranspose2d: nn.ConvTranspose2d,
    }
    for layer in network.modules():
        layer.__class__ = plain_kinds.get(type(layer), type(layer))
    return network


def take_gan_step(loop: PlainLoop, batches: Iterator[Tensor]) -> tuple[float, float]:
    """Update the discriminator on real and on fake images, then the generator."""
    compute_loss = functional.binary_cross_entropy_with_logits
    real_images = next(batches).to(loop.device)
    is_real = torch.ones(len(real_images), device=loop.device)
    is_fake = torch.zeros(len(real_images), device=loop.device)

    loop.discriminator.zero_grad()
    loss_real = compute_loss(loop.discriminator(real_images), is_real)
    loss_real.backward()
    fake_images = loop.generator(loop.draw_latents())
    loss_fake = compute_loss(loop.discriminator(fake_images.detach()), is_fake)
    loss_fake.backward()
    loop.optimizer_d.step()

    loop.generator.zero_grad()
    loss_g = compute_loss(loop.discriminator(fake_images), is_real)
    loss_g.backward()
    loop.optimizer_g.step()
    return (loss_real + loss_fake).item(), loss_g.item()


def take_wgan_gp_step(loop: PlainLoop, batches: Iterator[Tensor]) -> tuple[float, float]:
    """Update the critic several times, then the generator."""
    for _ in range(int(loop.config.critic_steps or 1)):
        real_images = next(batches).to(loop.device)
        fake_images = loop.generator(loop.draw_latents()).detach()
        loop.discriminator.zero_grad()
        loss_d = loop.discriminator(fake_images).mean() - loop.discriminator(real_images).mean()
        penalty = compute_plain_penalty(loop.discriminator, real_images, fake_images)
        loss_d = loss_d + float(loop.config.gp_weight or 0.0) * penalty
        loss_d.backward()
        loop.optimizer_d.step()

    loop.generator.zero_grad()
    loss_g = -loop.discriminator(loop.generator(loop.draw_latents())).mean()
    loss_g.backward()
    loop.optimizer_g.step()
    return loss_d.item(), loss_g.item()


def compute_plain_penalty(critic: nn.Module, real_images: Tensor, fake_images: Tensor) -> Tensor:
    """Compute mean((|gradient| - 1)^2) at random points between real and fake images."""
    share = torch.rand(len(real_images), 1, 1, 1, device=real_images.device)
    points = (share * real_images + (1 - share) * fake_images).requires_grad_(True)
    logits = critic(points)
    (gradient,) = torch.autograd.grad(
        logits, points, grad_outputs=torch.ones_like(logits), create_graph=True
    )
    norms = gradient.reshape(len(gradient), -1).norm(2, dim=1)
    return ((norms - 1) ** 2).mean()


STEPS: dict[str, Callable[[PlainLoop, Iterator[Tensor]], tuple[float, float]]] = {
    "non_saturating": take_gan_step,
    "wasserstein": take_wgan_gp_step,
}
