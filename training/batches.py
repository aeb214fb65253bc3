"""Endless shuffled batches of real images, the same again after a resume."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.datasets import ImageDataset
from training.devices import send
from training.errors import DatasetError
from training.free_memory import is_out_of_memory, read_free_bytes
from training.images import to_float
from training.processes import ALONE, Processes

CPU = torch.device("cpu")
# Of a GPU's free memory the images may take so much; networks and layers' outputs need the rest.
MAX_RESIDENT_SHARE = 0.5


@dataclass(frozen=True)
class RealBatch:
    """Hold real images (N, C, H, W) in [-1, 1] and their label rows (N, L); L may be 0."""

    images: Tensor
    labels: Tensor


class ImageBatches:
    """Draw batches without replacement, reshuffled each epoch from (seed, epoch) alone.

    Of several processes each gets its own rows of every batch. A partial batch at an epoch's end is
    dropped. ``epoch`` and ``position`` are all its state. On a GPU with room for them all images
    are copied there once, as uint8, so that a step copies nothing.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        batch_size: int,
        seed: int,
        is_mirrored: bool,
        device: torch.device = CPU,
        processes: Processes = ALONE,
        label_rows: NDArray[np.float32] | None = None,
        num_reserved: int = 0,
    ) -> None:
        """``num_reserved`` bytes of a GPU's memory are not for the images."""
        if len(dataset) < batch_size:
            raise DatasetError(
                f"{dataset.name} has {len(dataset)} images, fewer than one batch of {batch_size}: "
                "use more images or a smaller --batch-size."
            )
        self._dataset = dataset
        self._batch_size = batch_size
        self._seed = seed
        self._is_mirrored = is_mirrored
        self._device, self._processes = device, processes
        self._resident = load_resident(dataset.images, device, num_reserved)
        self._where = CPU if self._resident is None else device
        self._label_rows = (
            None if label_rows is None else torch.from_numpy(label_rows).to(self._where)
        )
        self.restore(0, 0)

    def restore(self, epoch: int, position: int) -> None:
        """Go to the batch that starts at ``position`` of an epoch's order."""
        self.epoch, self.position = epoch, position
        shuffler = np.random.default_rng([self._seed, epoch])
        num_batches = len(self._dataset) // self._batch_size
        order = shuffler.permutation(len(self._dataset))
        is_flipped = torch.from_numpy(shuffler.random(len(self._dataset)) < 0.5)
        order = order[: num_batches * self._batch_size].reshape(num_batches, self._batch_size)
        rows = torch.from_numpy(order)  # (batches, N)
        # A resident data set is read without a wait for the device.
        self._rows, self._is_flipped = send(rows, self._where), send(is_flipped[rows], self._where)

    def draw(self) -> RealBatch:
        """Return the next real images of this process and their labels, on the device."""
        if self.position + self._batch_size > len(self._dataset):
            self.restore(self.epoch + 1, 0)
        turn = self.position // self._batch_size
        self.position += self._batch_size
        rows = self._processes.share(self._rows[turn])
        images = self._send(self._read(rows))  # (N, C, H, W) uint8
        if self._is_mirrored:
            is_flipped = self._send(self._processes.share(self._is_flipped[turn]))
            images = torch.where(is_flipped[:, None, None, None], images.flip(3), images)
        images = images.to(memory_format=torch.channels_last)
        return RealBatch(to_float(images), self._read_labels(rows))

    def _read(self, rows: Tensor) -> Tensor:
        if self._resident is not None:
            return self._resident.index_select(0, rows)
        # Sorted reads are kind to a memory map. The order drawn comes back: what looks at parts of
        # a batch would else see neighbours in the data set together.
        ordered, places = np.unique(rows.numpy(), return_inverse=True)
        return torch.from_numpy(self._dataset.images[ordered][places])

    def _read_labels(self, rows: Tensor) -> Tensor:
        if self._label_rows is None:
            return torch.empty((len(rows), 0), device=self._device)
        return self._send(self._label_rows.index_select(0, rows))

    def _send(self, tensor: Tensor) -> Tensor:
        return send(tensor, self._device) if self._where == CPU else tensor


def load_resident(
    images: NDArray[np.uint8], device: torch.device, num_reserved: int = 0
) -> Tensor | None:
    """Copy images to a GPU's memory; None, and they stay where they are, if they do not fit."""
    if not fits_on_device(images.nbytes, device, num_reserved):
        return None
    try:
        return torch.tensor(images, device=device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None  # somebody else has taken it since: each batch is copied instead


def fits_on_device(num_bytes: int, device: torch.device, num_reserved: int = 0) -> bool:
    """Tell whether so much may stay in a GPU's memory, beside what training needs there."""
    if device.type != "cuda":
        return False
    free = read_free_bytes(device) or 0
    return num_bytes <= min(MAX_RESIDENT_SHARE * free, free - num_reserved)
