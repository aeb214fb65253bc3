"""Everything in memory that a resume restores, as one."""

from dataclasses import dataclass, field, fields
from typing import Any

from training.batches import ImageBatches
from training.loss_window import LossWindow
from training.progress import Progress
from training.step import AdversarialStep


@dataclass
class TrainingState:
    """Hold networks and optimisers, the place in the data, counts, and losses not yet reported."""

    engine: AdversarialStep
    batches: ImageBatches
    progress: Progress = field(default_factory=Progress)
    window: LossWindow = field(default_factory=LossWindow)
    num_rewinds: int = 0

    def state_dict(self) -> dict[str, Any]:
        """Return what a resume needs to go on as if there had been no break."""
        return {
            "engine": self.engine.state_dict(),
            "epoch": self.batches.epoch,
            "position": self.batches.position,
            "window": self.window.state_dict(),
            "num_rewinds": self.num_rewinds,
            **vars(self.progress),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned; earlier versions saved no window and no rewinds.

        Raises RuntimeError, ValueError or KeyError if it does not fit the networks.
        """
        self.engine.load_state_dict(state["engine"])
        self.batches.restore(state["epoch"], state["position"])
        self.progress = Progress(**{item.name: state[item.name] for item in fields(Progress)})
        self.num_rewinds = state.get("num_rewinds", 0)
        self.window = LossWindow()
        if "window" in state:
            self.window.load_state_dict(state["window"], self.engine.device)
