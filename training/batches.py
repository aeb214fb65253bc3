"""Endless shuffled batches of real images, the same again after a resume."""

import numpy as np
import torch
from torch import Tensor

from training.datasets import ImageDataset
from training.errors import DatasetError
from training.images import to_float


class ImageBatches:
    """Draw batches without replacement, reshuffled each epoch from (seed, epoch) alone.

    A partial batch at an epoch's end is dropped. ``epoch`` and ``position`` are all its state.
    """

    def __init__(
        self, dataset: ImageDataset, batch_size: int, seed: int, is_mirrored: bool
    ) -> None:
        if len(dataset) < batch_size:
            raise DatasetError(
                f"{dataset.name} has {len(dataset)} images, fewer than one batch of {batch_size}: "
                "use more images or a smaller --batch-size."
            )
        self._dataset = dataset
        self._batch_size = batch_size
        self._seed = seed
        self._is_mirrored = is_mirrored
        self.restore(0, 0)

    def restore(self, epoch: int, position: int) -> None:
        """Go to the batch that starts at ``position`` of an epoch's order."""
        self.epoch, self.position = epoch, position
        shuffler = np.random.default_rng([self._seed, epoch])
        self._order = shuffler.permutation(len(self._dataset))
        self._is_flipped = shuffler.random(len(self._dataset)) < 0.5

    def draw(self, device: torch.device) -> Tensor:
        """Return the next real images, (N, C, H, W) in [-1, 1] on the device."""
        if self.position + self._batch_size > len(self._dataset):
            self.restore(self.epoch + 1, 0)
        chosen = slice(self.position, self.position + self._batch_size)
        self.position += self._batch_size
        # Sorted reads are kind to a memory map; the order within a batch does not matter.
        rows = np.sort(self._order[chosen])
        images = torch.from_numpy(self._dataset.images[rows])  # (N, C, H, W) uint8
        if self._is_mirrored:
            flipped = torch.from_numpy(self._is_flipped[rows])
            images = torch.where(flipped[:, None, None, None], images.flip(3), images)
        images = images.to(device, non_blocking=True).to(memory_format=torch.channels_last)
        return to_float(images)
