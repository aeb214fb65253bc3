"""Small trainings that one process or several run alike: torchrun starts this file in each.

`python -m torch.distributed.run --nproc-per-node 2 tests/training/shared_runs.py FOLDER` leaves
`CASE-RANK.pt` in the folder for each case: what `run_case` returns.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from tests.training.conftest import TINY, TINY_DIM, load_tiny
from training import scoring
from training.config import TrainConfig
from training.datasets import DatasetOptions, ImageDataset, LabelColumn
from training.history import read_history
from training.metrics.extractors import EXTRACTORS, ExtractorSpec
from training.processes import Processes, join_processes
from training.runs import RunFolder, RunOptions
from training.trainer import Trainer

CPU = torch.device("cpu")
NUM_STEPS = 5
SMALL = {
    **{"width": 4, "z_dim": 8, "batch_size": 8, "steps": NUM_STEPS, "precision": "fp32"},
    **{"score_every": NUM_STEPS, "score_samples": 150, "extractor": TINY, "grid_every": 2},
    **{"learning_rate_g": 1e-4, "learning_rate_d": 1e-4, "is_mirrored": True, "log_every": 2},
}
CASES = {
    "batch norms": ("dcgan", {}),
    "layer norms, penalty": ("wgan_gp", {"critic_steps": 2}),
    "batch norms, penalty": ("wgan_gp", {"critic_steps": 2, "critic_norm": "batch"}),
    "noise, parts, skips": (
        "dcgan",
        {
            **{"instance_noise": 0.1, "grad_accum": 2, "skip_discriminator_above": 0.6},
            **{"diff_augment": "color,translation,cutout", "feature_matching": 1.0},
        },
    ),
    # Minibatch statistics are of groups of four: two in the batch, one in each process's share.
    # With some seeds a unit is so near its kink that rounding moves weights by 1e-4: of one process
    # with one and with two threads, too. With those chosen here and below by 1e-7.
    "minibatch statistics": (
        "wgan_gp",
        {"critic_steps": 1, "has_minibatch_stddev": True, "seed": 1},
    ),
    "linear": ("sgan", {}),
    "labels": (
        "label_gan",
        {"critic_steps": 2, "predictor_data": "both", "critic_norm": "layer", "seed": 5},
    ),
}


def make_dataset():
    """Make 48 images of 32 x 32 in which every image has one colour; the label is its red."""
    colours = np.random.default_rng(0).integers(0, 256, (48, 3, 1, 1), dtype=np.uint8)
    images = np.ascontiguousarray(np.broadcast_to(colours, (48, 3, 32, 32)))
    columns = (LabelColumn("red", ("low", "high")),)
    labels = (colours[:, 0, 0] > 127).astype(np.int64)
    return ImageDataset("folder:colours", "Colours", "CC0", images, "c0", labels, columns)


def run_case(name: str, folder: Path, processes: Processes):
    """Train one case; returns the weights by name, the first score, and the rows of metrics."""
    scoring.NUM_IMAGES_READ = 1000  # a reader worth its name takes minutes
    EXTRACTORS[TINY] = ExtractorSpec(TINY, "FD-Tiny", TINY_DIM, load_tiny)
    model, options = CASES[name]
    config = TrainConfig(model, "folder:colours", "shared", **{**SMALL, **options})
    images = DatasetOptions(cache_dir=folder / "cache")
    options = RunOptions(config, images, folder / name / "checkpoints", "the command")
    run = RunFolder(folder / name / "runs")
    trainer = Trainer(options, make_dataset(), run, CPU, processes)
    trainer._scorer.load()
    measured = trainer._scorer.score(trainer.engine.generator_ema, lambda: False)
    trainer.train()
    networks = ("generator", "discriminator", "generator_ema")
    weights = {
        f"{network}.{key}": tensor
        for network in networks
        for key, tensor in getattr(trainer.engine, network).state_dict().items()
    }
    return {
        "weights": weights,
        "score": None if measured is None else measured.score.value,
        "rows": read_history(run.metrics_path),
    }


def main(folder: Path) -> None:
    """Run all cases in this process and those beside it."""
    torch.set_num_threads(1)
    with join_processes("cpu") as (processes, _):
        for name in CASES:
            found = run_case(name, folder, processes)
            torch.save(found, folder / f"{name}-{processes.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
