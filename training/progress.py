"""How far a training is, and what is due after a step."""

import math
from dataclasses import dataclass
from typing import Any

from training.config import TrainConfig

# Snapshots are this factor apart, so that early training, where most happens, is seen closely.
SNAPSHOT_RATIO = math.sqrt(2)
FIRST_SNAPSHOT = 16


@dataclass
class Progress:
    """Count what a training has done so far, over all resumes."""

    step: int = 0
    images_seen: int = 0
    seconds: float = 0.0

    def describe(self) -> dict[str, Any]:
        """Return the counts as a row of metrics begins."""
        return {**vars(self), "seconds": round(self.seconds, 1)}

    def get_fraction(self, config: TrainConfig) -> float:
        """Return the share of the goal that is reached, 1 or more at the end."""
        if config.kimg is not None:
            return self.images_seen / (1000 * config.kimg)
        if config.minutes is not None:
            return self.seconds / (60 * config.minutes)
        return self.step / int(config.steps or 1)


@dataclass(frozen=True)
class Due:
    """Say what is due after a step."""

    losses: bool
    snapshot: bool
    histograms: bool
    grid: bool
    score: bool
    save: bool


def find_due(config: TrainConfig, step: int) -> Due:
    """Find what is due after a step (from 1)."""
    snapshot, score = is_snapshot_step(step), is_due(config.score_every, step)
    save = score or is_due(config.save_every, step)
    histograms = is_due(config.histograms_every, step)
    return Due(
        # Whatever is kept of a step needs numbers that are known to be finite.
        losses=is_due(config.log_every, step) or snapshot or histograms or save,
        snapshot=snapshot,
        histograms=histograms,
        grid=is_due(config.grid_every, step),
        score=score,
        save=save,
    )


def is_due(every: int | None, step: int) -> bool:
    """Tell whether a step (0: nothing is done yet) is a multiple of ``every``; of 0 none is."""
    return every is not None and every > 0 and step > 0 and step % every == 0


def is_snapshot_step(step: int) -> bool:
    """Tell whether a snapshot is due: at step 0 and at 16, 23, 32, 45, 64, ... (factor sqrt 2)."""
    if step < FIRST_SNAPSHOT:
        return step == 0
    exponent = round(math.log(step / FIRST_SNAPSHOT, SNAPSHOT_RATIO))
    return step == round(FIRST_SNAPSHOT * SNAPSHOT_RATIO**exponent)
