"""Train with each technique alone, score what comes out, and write docs/ABLATION.md.

Run ``python -m docs.ablation`` from the repository's root. It can be stopped at any moment and goes
on: finished runs are lines of docs/ablation.jsonl, and the one under way goes on from its folder in
runs/ablation. All rows come with seed 0 first, then with the other seeds. ``--table`` writes the
page and the chart from the lines there are.
"""

import argparse
import dataclasses
import math
import shlex
import sys
from collections.abc import Iterator
from typing import Any

from torch import nn

from docs.ablation_report import (
    Line,
    Row,
    append_line,
    draw_ablation,
    format_page_part,
    read_lines,
)
from docs.case_runs import (
    ROOT,
    build_parser,
    finish_training,
    open_trainer,
    run_each,
    score_generator,
    write_results,
)
from training.checkpoint import load_generator
from training.config import TrainConfig
from training.datasets import DatasetOptions, ImageDataset, load_dataset
from training.errors import TrainingError
from training.metrics.score import describe_score
from training.models import get_model_spec
from training.presets import get_preset
from training.techniques import describe_techniques
from training.trainer import Trainer

LINES, PAGE = ROOT / "docs" / "ablation.jsonl", ROOT / "docs" / "ABLATION.md"
CHART = ROOT / "docs" / "images" / "ablation.svg"
RUNS = ROOT / "runs" / "ablation"
DATA = "avatars"
DATASET_OPTIONS = DatasetOptions(resolution=32, max_images=20_000)
KIMG, SEEDS = 300.0, (0, 1, 2)
NUM_SAMPLES = 5000
# Few and small scores on the way: the best checkpoint is the best of these, and of the end.
NUM_TRAINING_SCORES, NUM_TRAINING_SAMPLES = 4, 1000
SHARED = {"width": 32, "batch_size": 64}
BEST = {**get_preset("best", "wgan_gp"), **SHARED}
AUGMENTATIONS = "color,translation,cutout"

# Key, model, what is changed, base: the most telling first. What goes with any loss is tried on
# DCGAN, since WGAN-GP as published is far from done after so many images. Self-attention has no
# place at 32 pixels, and accumulated gradients are the same gradients: neither has a row.
SETTINGS: tuple[tuple[str, str, dict[str, Any], str | None], ...] = (
    ("dcgan", "dcgan", {}, None),
    ("wgan_gp", "wgan_gp", {}, None),
    ("best", "wgan_gp", BEST, "wgan_gp"),
    ("wgan_gp-layer", "wgan_gp", {"critic_norm": "layer"}, "wgan_gp"),
    ("best-fp32", "wgan_gp", {**BEST, "precision": "fp32"}, "best"),
    ("dcgan-spectral", "dcgan", {"critic_norm": "spectral"}, "dcgan"),
    ("dcgan-penalty", "dcgan", {"critic_norm": "layer", "gp_weight": 10.0}, "dcgan"),
    ("dcgan-augment", "dcgan", {"diff_augment": AUGMENTATIONS}, "dcgan"),
    # What helped most alone: together, and with the preset's settings.
    ("dcgan-spectral-augment", "dcgan", {"critic_norm": "spectral", "diff_augment": AUGMENTATIONS},
     "dcgan"),
    ("dcgan-layer-augment", "dcgan", {"critic_norm": "layer", "diff_augment": AUGMENTATIONS},
     "dcgan"),
    ("best-augment", "wgan_gp", {**BEST, "diff_augment": AUGMENTATIONS}, "wgan_gp"),
    ("dcgan-hinge", "dcgan", {"loss": "hinge"}, "dcgan"),
    ("wgan", "wgan", {}, "wgan_gp"),
    ("wgan_gp-ttur", "wgan_gp", {
        "critic_steps": 1, "learning_rate_g": 2e-4, "learning_rate_d": 4e-4}, "wgan_gp"),
    ("dcgan-noise", "dcgan", {"instance_noise": 0.1}, "dcgan"),
    ("dcgan-smoothing", "dcgan", {"label_smoothing": 0.1}, "dcgan"),
    ("dcgan-skipping", "dcgan", {"skip_discriminator_above": 0.8}, "dcgan"),
    ("dcgan-ttur", "dcgan", {"learning_rate_d": 8e-4}, "dcgan"),
    ("dcgan-slow-critic", "dcgan", {"learning_rate_d": 5e-5}, "dcgan"),
    ("dcgan-features", "dcgan", {"feature_matching": 1.0}, "dcgan"),
    ("dcgan-minibatch", "dcgan", {"has_minibatch_stddev": True}, "dcgan"),
    ("dcgan-decay", "dcgan", {"lr_decay": 0.5}, "dcgan"),
    ("dcgan-layer", "dcgan", {"critic_norm": "layer"}, "dcgan"),
    ("dcgan-none", "dcgan", {"critic_norm": "none"}, "dcgan"),
    ("wgan_gp-none", "wgan_gp", {"critic_norm": "none"}, "wgan_gp"),
    ("dcgan-history", "dcgan", {"historical_averaging": 0.001}, "dcgan"),
    ("dcgan-rmsprop", "dcgan", {"optimizer": "rmsprop"}, "dcgan"),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """Name one run: a row, a seed, and how long it is."""

    row: Row
    seed: int
    kimg: float

    @property
    def name(self) -> str:
        """Return the run's name."""
        return f"{self.row.key}-seed{self.seed}-{self.kimg:g}kimg"

    @property
    def setting(self) -> dict[str, Any]:
        """Return the options that tell runs apart."""
        return {"model": self.row.model, "kimg": self.kimg, **self.row.options}

    def build_config(self) -> TrainConfig:
        """Build the options of the training."""
        config = TrainConfig(
            self.row.model, DATA, self.name, seed=self.seed, kimg=self.kimg, **self.row.options
        ).resolve()
        num_images = config.batch_size * int(config.critic_steps or 1)
        num_steps = math.ceil(1000 * self.kimg / num_images)
        # Rounded up, so that the last of them is the one at the end.
        score_every = math.ceil(num_steps / NUM_TRAINING_SCORES)
        return dataclasses.replace(
            config,
            score_every=score_every,
            score_samples=NUM_TRAINING_SAMPLES,
            log_every=max(1, score_every // 10),
            save_every=max(1, score_every // 4),
            grid_every=0,
        )


def main() -> int:
    """Train what is missing, or write the table."""
    args = parse_arguments()
    rows = build_rows()
    if not args.table:
        wanted = [row for row in rows if not args.only or row.key in args.only]
        dataset = load_dataset(DATA, DATASET_OPTIONS)

        def run(case: Case) -> None:
            print(f"{case.name}: {case.row.title}", file=sys.stderr, flush=True)
            append_line(LINES, run_case(case, dataset, args.device))

        missing = list_missing(wanted, args.seeds, args.kimg, read_lines(LINES))
        if status := run_each(missing, run):
            return status
    lines = select_lines(rows, args.kimg, read_lines(LINES))
    draw_ablation(CHART, rows, lines)
    part = format_page_part(rows, lines, CHART.relative_to(PAGE.parent).as_posix())
    write_results(PAGE, part)
    print(part)
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    keys = [key for key, *_ in SETTINGS]
    kimg_help = "thousand real images each discriminator sees"
    return build_parser(__doc__, keys, SEEDS, KIMG, kimg_help).parse_args()


def build_rows() -> list[Row]:
    """Build the rows; a title names what differs from the base, or from nothing."""
    rows: dict[str, Row] = {}
    for key, model, changes, base in SETTINGS:
        options = {**get_preset("thesis", model), **SHARED, **changes}
        spec = get_model_spec(model)
        resolved = TrainConfig(model, DATA, key, **options, kimg=KIMG).resolve()
        # A base, or a model that is not its base's, is told from its published self.
        is_origin = base is None or model != rows[base].model
        plain = {} if is_origin else rows[str(base)].options
        origin = TrainConfig(model, DATA, key, **plain).resolve()
        changed = describe_techniques(resolved.to_dict(), origin)
        if "precision" in options:  # not a technique: what is computed is the same
            changed = "; ".join(filter(None, (changed, f"precision {options['precision']}")))
        changed = changed or "as published"
        rows[key] = Row(key, f"{spec.title}: {changed}", model, options, base)
    return list(rows.values())


def list_missing(
    rows: list[Row], seeds: list[int], kimg: float, lines: list[Line]
) -> Iterator[Case]:
    """Yield the runs that no line is of, all rows of a seed before the next seed."""
    done = [(line.row, line.seed, line.setting) for line in lines]
    for seed in seeds:
        for row in rows:
            case = Case(row, seed, kimg)
            if (row.key, seed, case.setting) not in done:
                yield case


def select_lines(rows: list[Row], kimg: float, lines: list[Line]) -> list[Line]:
    """Return the lines of these rows as they are now, of runs of that length."""
    settings = {row.key: Case(row, 0, kimg).setting for row in rows}
    return [line for line in lines if settings.get(line.row) == line.setting]


def score(trainer: Trainer, generator: nn.Module) -> dict[str, Any]:
    """Score a generator by many samples; a signal ends it."""
    return describe_score(score_generator(trainer, generator, NUM_SAMPLES).score)


def run_case(case: Case, dataset: ImageDataset, device: str) -> Line:
    """Train a case, or go on with it, and score its last and its best generator."""
    command = f"python -m docs.ablation --only {shlex.quote(case.row.key)} --seeds {case.seed}"
    config = case.build_config()
    trainer = open_trainer(config, dataset, DATASET_OPTIONS, RUNS, command, device)
    error = last = best = best_step = None
    with trainer.folder.lock():
        try:
            finish_training(trainer)
        except TrainingError as failure:
            error = str(failure)
        else:
            generator, header = load_generator(trainer.checkpoint_path, trainer.device)
            best_step = int(header.training["step"])
            last = score(trainer, trainer.engine.generator_ema)
            is_last = best_step == trainer.progress.step
            best = last if is_last else score(trainer, generator)
    return Line(
        row=case.row.key,
        seed=case.seed,
        setting=case.setting,
        steps=trainer.progress.step,
        images_seen=trainer.progress.images_seen,
        minutes=round(trainer.progress.seconds / 60, 2),
        device=trainer.device_name,
        last=last,
        best=best,
        best_step=best_step,
        error=error,
    )


if __name__ == "__main__":
    sys.exit(main())
