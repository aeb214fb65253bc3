"""Which real images diagnoses have shown: the only ones of a data set that a page may have."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from training.errors import ConfigError

# Of each checkpoint: a map shows 512 real images, the nearest ones are a dozen or two.
MAX_IMAGES = 2048
MAX_CHECKPOINTS = 32


class ShownImages:
    """Remember the real images that diagnoses have named, those named last; safe for threads.

    Images are indices of the data set that a checkpoint, named by the hash of its weights, learned.
    """

    def __init__(
        self, max_images: int = MAX_IMAGES, max_checkpoints: int = MAX_CHECKPOINTS
    ) -> None:
        self.max_images = max_images
        self.max_checkpoints = max_checkpoints
        self._lock = threading.Lock()
        self._shown: OrderedDict[str, OrderedDict[int, None]] = OrderedDict()

    def add(self, checkpoint: str, indices: Iterable[int]) -> None:
        """Remember the images that a diagnosis of a checkpoint names."""
        with self._lock:
            shown = self._shown.setdefault(checkpoint, OrderedDict())
            self._shown.move_to_end(checkpoint)
            for index in indices:
                shown[index] = None
                shown.move_to_end(index)
            _forget_oldest(shown, self.max_images)
            _forget_oldest(self._shown, self.max_checkpoints)

    def check(self, checkpoint: str, indices: Iterable[int]) -> None:
        """Raise ConfigError if no diagnosis of the checkpoint has named one of the images."""
        with self._lock:
            shown = self._shown.get(checkpoint, OrderedDict())
            unknown = [index for index in indices if index not in shown]
        if unknown:
            raise ConfigError(
                f"No diagnosis has shown real image {unknown[0]}: only images beside a diagnosis "
                "are sent; diagnose the model again."
            )


def _forget_oldest(kept: OrderedDict[Any, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
