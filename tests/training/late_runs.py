"""Scores beside a training, as late as can be, and a training that is killed before one is there.

`python -m tests.training.late_runs FOLDER` trains to step 6 of a run with a score at step 4, and
ends itself with SIGKILL.
"""

import os
import signal
import sys
from pathlib import Path
from threading import Event

import torch

from tests.training.conftest import TINY, TINY_DIM, load_tiny
from tests.training.shared_runs import make_dataset
from training.background import BackgroundRunner
from training.config import TrainConfig
from training.datasets import DatasetOptions
from training.metrics.extractors import EXTRACTORS, ExtractorSpec
from training.runs import RunFolder, RunOptions
from training.trainer import Trainer

CPU = torch.device("cpu")
SCORE_STEP, KILL_STEP = 4, 6
PATIENCE = 600  # seconds after which a test fails that would wait for ever
OPTIONS = {
    **{"width": 4, "z_dim": 8, "batch_size": 8, "steps": 10, "precision": "fp32", "grid_every": 0},
    **{"score_every": SCORE_STEP, "score_samples": 80, "extractor": TINY, "log_every": 1},
}


class LateRunner(BackgroundRunner):
    """Begin no work before its result is waited for: all that a training does beside it is done."""

    def __init__(self, device=CPU):
        super().__init__(device)
        self._gates = []

    def start(self, work):
        gate = Event()
        self._gates.append(gate)

        def wait_and_work():
            assert gate.wait(PATIENCE), "nobody waited for the result"
            return work()

        result = super().start(wait_and_work)
        get_result = result.result

        def open_and_get(timeout=None):
            gate.set()
            return get_result(timeout)

        result.result = open_and_get
        return result

    def close(self):
        for gate in self._gates:
            gate.set()
        super().close()


def before_step(trainer, act):
    """Let a trainer do something with the number of each step before it."""
    run = trainer.engine.run

    def act_and_run(step, draw):
        act(step)
        return run(step, draw)

    trainer.engine.run = act_and_run


def build_late_trainer(folder, runner=None):
    """Build the trainer of the run that is killed, or of one like it."""
    EXTRACTORS[TINY] = ExtractorSpec(TINY, "FD-Tiny", TINY_DIM, load_tiny)
    config = TrainConfig("dcgan", "folder:colours", "late", **OPTIONS)
    images = DatasetOptions(cache_dir=folder / "cache")
    run = RunOptions(config, images, folder / "checkpoints", "the command")
    return Trainer(run, make_dataset(), RunFolder(folder / "runs"), CPU, runner=runner)


def main(folder):
    """Train until the process is killed."""

    def kill(step):
        if step == KILL_STEP:
            os.kill(os.getpid(), signal.SIGKILL)

    trainer = build_late_trainer(folder, LateRunner())
    before_step(trainer, kill)
    trainer.train()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
