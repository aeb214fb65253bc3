"""The losses of the steps since the last row of metrics."""

import time
from typing import Any

import torch
from torch import Tensor

from training.updates import STAT_NAMES


class LossWindow:
    """Collect the losses of steps on their device, and read them all at once.

    It is a part of a saved state, so that the mean of a row is over the same steps with and
    without a break.
    """

    def __init__(self) -> None:
        self.means: dict[str, float] = {}
        self._stats: list[Tensor] = []
        self._seconds = 0.0

    def __len__(self) -> int:
        return len(self._stats)

    def add(self, stats: Tensor, seconds: float) -> None:
        """Add the losses of the next step, in the order of STAT_NAMES, and the seconds it took."""
        self._stats.append(stats)
        self._seconds += seconds

    def read(self) -> Tensor:
        """Return the losses of all steps, (steps, stats) on the CPU; waits for the device."""
        started = time.monotonic()
        stats = torch.stack(self._stats).cpu()
        # Reading the numbers waits for the device: that is training time too.
        self._seconds += time.monotonic() - started
        return stats

    def summarize(self, stats: Tensor, images_per_step: int) -> dict[str, float]:
        """Return the means of what `read` returned and the images per second; keeps ``means``."""
        self.means = dict(zip(STAT_NAMES, stats.mean(0).tolist(), strict=True))
        images = len(self) * images_per_step
        return {**self.means, "images_per_second": images / max(self._seconds, 1e-9)}

    def clear(self) -> None:
        """Begin with the next step."""
        self._stats, self._seconds = [], 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return what a resume needs."""
        stats = torch.stack(self._stats).cpu() if self._stats else torch.zeros(0, len(STAT_NAMES))
        return {"stats": stats, "seconds": self._seconds, "means": dict(self.means)}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Restore what ``state_dict`` returned; an older version's open window is left out."""
        self.clear()
        self.means = dict(state["means"])
        if state["stats"].shape[1] == len(STAT_NAMES):
            self._stats, self._seconds = list(state["stats"].to(device)), state["seconds"]
