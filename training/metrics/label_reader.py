"""The independent reader: a network that learns labels from real images, and from nothing else.

A generator never sees it, so that what it reads is in the picture for anyone to read. Half of what
it learns from is degraded, noisy or blurred, since it would otherwise take a generator's grain for
what a label looks like: people do not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from training.datasets import ImageDataset
from training.datasets.label_rows import LabelRows
from training.devices import has_fast_bfloat16
from training.errors import MetricError
from training.images import to_float
from training.labels import LabelLayout
from training.metrics.degrade import degrade_images
from training.metrics.label_agreement import LabelAgreement, measure_agreement

HELD_OUT_SHARE = 0.1
SEED = 0
BATCH_SIZE = 128
NUM_IMAGES_SEEN = 300_000
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 1e-3
WIDTHS = (32, 64, 128, 128)
# Images are moved by up to so much of their side, so that place does not matter.
MAX_SHIFT = 1 / 16


class ReaderNetwork(nn.Module):
    """Read label vectors off images by convolutions that halve them down to 4x4 pixels."""

    def __init__(self, channels: int, resolution: int, vector_size: int) -> None:
        super().__init__()
        self.channels, self.resolution = channels, resolution
        layers: list[nn.Module] = [
            nn.Conv2d(channels, WIDTHS[0], 3, 1, 1, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.ReLU(inplace=True),
        ]
        width, stage = WIDTHS[0], 1
        while resolution > 4:
            wider = WIDTHS[min(stage, len(WIDTHS) - 1)]
            layers += [
                nn.Conv2d(width, wider, 3, 2, 1, bias=False),
                nn.BatchNorm2d(wider),
                nn.ReLU(inplace=True),
            ]
            width, stage, resolution = wider, stage + 1, -(-resolution // 2)
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(width * resolution**2, vector_size)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to label vectors (N, vector_size)."""
        vectors: Tensor = self.layers(images)
        return vectors


@dataclass(frozen=True, eq=False)
class LabelReader:
    """Hold a trained reader, the labels and data it learned, and how well it reads real images.

    ``agreements`` are of ``num_held_out`` real images that it did not learn from.
    """

    layout: LabelLayout
    dataset: dict[str, Any]
    network: ReaderNetwork
    agreements: tuple[LabelAgreement, ...]
    num_held_out: int

    def read(self, images: Tensor) -> NDArray[np.float32]:
        """Read rows (N, L) off uint8 images (N, C, H, W)."""
        rows = [
            self.layout.decode(self.network(to_float(part)).float())
            for part in images.split(BATCH_SIZE)
        ]
        found: NDArray[np.float32] = torch.cat(rows).cpu().numpy()
        return found


def check_images(reader: LabelReader, channels: int, resolution: int) -> None:
    """Raise MetricError unless a reader learned images of this size and number of channels."""
    own = (reader.network.channels, reader.network.resolution)
    if own != (channels, resolution):
        texts = [f"{side} x {side} pixels in {count} channel{'s' if count > 1 else ''}"
                 for count, side in (own, (channels, resolution))]  # fmt: skip
        raise MetricError(
            f"The reader reads images of {texts[0]}, and the model makes {texts[1]}: give a reader "
            "of the images that the model learned."
        )


def train_reader(
    dataset: ImageDataset,
    labels: LabelRows,
    device: torch.device | str = "cpu",
    num_images_seen: int = NUM_IMAGES_SEEN,
    progress: bool = True,
) -> LabelReader:
    """Train a reader on nine tenths of a data set, and measure it on the rest.

    The split is by a fixed seed.
    """
    order = np.random.default_rng(SEED).permutation(len(dataset))
    num_held_out = max(1, round(HELD_OUT_SHARE * len(dataset)))
    held_out, learned = np.sort(order[:num_held_out]), order[num_held_out:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = ReaderNetwork(dataset.channels, dataset.resolution, labels.layout.vector_size)
        network.to(device).to(memory_format=torch.channels_last)
        _fit(network, dataset, labels, learned, num_images_seen, progress)
    network.eval().requires_grad_(False).to(memory_format=torch.contiguous_format)
    blank = LabelReader(labels.layout, dataset.describe(), network, (), num_held_out)
    parts = np.array_split(held_out, max(1, num_held_out // 1000))
    with torch.inference_mode():
        read = [blank.read(torch.from_numpy(dataset.images[p]).to(device)) for p in parts]
    agreements = measure_agreement(labels.layout, labels.rows[held_out], np.concatenate(read))
    return LabelReader(labels.layout, blank.dataset, network, agreements, num_held_out)


def _fit(
    network: nn.Module,
    dataset: ImageDataset,
    labels: LabelRows,
    learned: NDArray[np.int64],
    num_images_seen: int,
    progress: bool,
) -> None:
    device = next(network.parameters()).device
    has_autocast = has_fast_bfloat16(device)
    num_steps = max(1, num_images_seen // BATCH_SIZE)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=max(2, num_steps), pct_start=0.2
    )
    rng = np.random.default_rng(SEED)
    batches = tqdm(
        _iter_batches(learned, num_steps, rng),
        "training a reader of the labels",
        num_steps,
        leave=False,
        disable=None if progress else True,
    )
    network.train()
    for number, chosen in enumerate(batches):
        pixels = dataset.images[chosen]
        pixels[1::2] = degrade_images(pixels[1::2], number * BATCH_SIZE)
        images = to_float(torch.from_numpy(pixels).to(device))
        shift = round(MAX_SHIFT * dataset.resolution)
        images = _shift(images, rng.integers(-shift, shift + 1, 2))
        rows = torch.from_numpy(labels.rows[chosen]).to(device)
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=has_autocast):
            vectors = network(images.contiguous(memory_format=torch.channels_last))
        loss = labels.layout.compute_loss(vectors.float(), rows)
        loss.backward()
        optimizer.step()
        schedule.step()


def _iter_batches(
    learned: NDArray[np.int64], num_steps: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    left: NDArray[np.int64] = learned[:0]
    for _ in range(num_steps):
        while len(left) < min(BATCH_SIZE, len(learned)):
            left = np.concatenate([left, rng.permutation(learned)])
        yield np.sort(left[:BATCH_SIZE])
        left = left[BATCH_SIZE:]


def _shift(images: Tensor, shift: NDArray[np.int64]) -> Tensor:
    """Move a batch down and right by whole pixels, the edge going on."""
    down, right = map(int, shift)
    padding = (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0))
    padded = functional.pad(images, padding, mode="replicate")
    height, width = images.shape[2:]
    return padded[:, :, max(-down, 0) :, max(-right, 0) :][:, :, :height, :width]
