"""A decoder that other processes can import, which misbehaves where it is asked to."""

import os
import signal
from dataclasses import dataclass

import numpy as np

from training.datasets.pool import Chunk
from training.errors import DatasetError


@dataclass(frozen=True)
class NumberDecoder:
    """Image i is filled with i mod 256; where asked, ends its process or raises."""

    num_items: int
    image_shape: tuple[int, int, int] = (1, 8, 8)
    dies_at: int | None = None
    raises_at: int | None = None

    def decode(self, indices: range) -> Chunk:
        if self.dies_at in indices:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.raises_at in indices:
            raise DatasetError(f"image {self.raises_at} is wrong")
        values = np.array(indices, dtype=np.int64).astype(np.uint8)
        images = np.broadcast_to(values[:, None, None, None], (len(indices), *self.image_shape))
        return Chunk(np.ascontiguousarray(images), tuple(indices))
