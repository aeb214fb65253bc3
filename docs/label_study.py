"""Teach LabelGAN's predictor in several ways, let a stranger read, and write docs/LABELS.md.

Run ``python -m docs.label_study --data-root FOLDER`` from the repository's root, where MNIST lies
in FOLDER. It can be stopped at any moment and goes on: finished runs are lines of
docs/label_study.jsonl, and the one under way goes on from its folder in runs/label-study. All rows
come with seed 0 first, then with the other seeds. ``--table`` writes the page from the lines there
are.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.case_runs import (
    ROOT,
    append_json_line,
    build_parser,
    finish_training,
    open_trainer,
    read_json_lines,
    run_each,
    score_generator,
    write_results,
)
from docs.label_study_report import Line, Row, format_results
from training.config import TrainConfig
from training.datasets import DatasetOptions, ImageDataset, load_dataset
from training.errors import TrainingError
from training.metrics.score import describe_score
from training.presets import get_preset

LINES, PAGE = ROOT / "docs" / "label_study.jsonl", ROOT / "docs" / "LABELS.md"
RUNS = ROOT / "runs" / "label-study"
DATA, RESOLUTION, CHANNELS = "mnist", 32, 1
KIMG, SEEDS, NUM_SAMPLES = 100.0, (0, 1, 2), 2000
# The critic's part is the same in all rows: what differs is how the predictor learns.
OWN_KEYS = ("steps", "predictor_data", "has_projection")
SHARED: dict[str, Any] = {
    key: value for key, value in get_preset("quick", "label_gan").items() if key not in OWN_KEYS
} | {"width": 12, "batch_size": 64, "predictor_weight": 1.0}
AUGMENT = "color,crop,blur,jpeg"

# Key, what it is, what is changed: the thesis's system first, then each cure by itself.
SETTINGS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("thesis", "predictor after 2 convolutions, taught by generated images", {}),
    ("image", "reads the image itself", {"predictor_layer": 0}),
    ("deeper", "after all 4 convolutions", {"predictor_layer": 4}),
    ("noise", "noise of deviation 0.5 before it", {"predictor_noise": 0.5}),
    ("augment", "random crop, blur, colour, JPEG-like noise before it", {
        "predictor_augment": AUGMENT}),
    ("real", "taught by real images instead", {"predictor_data": "real"}),
    ("both", "taught by real images as well", {"predictor_data": "both"}),
    ("both-augment", "real images as well, and augmentation", {
        "predictor_data": "both", "predictor_augment": AUGMENT}),
    ("auxiliary", "real images as well, and the critic learns with it", {
        "predictor_data": "both", "predictor_moves_critic": True}),
    ("projection", "no predictor: the critic judges labels by projection", {
        "predictor_weight": 0.0, "has_projection": True}),
    ("real-projection", "taught by real images instead, and projection", {
        "predictor_data": "real", "has_projection": True}),
    ("heavier", "as before, the predictor's loss weighing three times as much", {
        "predictor_data": "real", "has_projection": True, "predictor_weight": 3.0}),
)  # fmt: skip


def main() -> int:
    """Train what is missing, or write the page."""
    args = parse_arguments()
    rows = [Row(key, title, changes) for key, title, changes in SETTINGS]
    if not args.table:
        wanted = [row for row in rows if not args.only or row.key in args.only]
        options = DatasetOptions(resolution=RESOLUTION, channels=CHANNELS, data_root=args.data_root)
        dataset = load_dataset(DATA, options)

        def run(case: tuple[Row, int]) -> None:
            row, seed = case
            print(f"{row.key}, seed {seed}: {row.title}", file=sys.stderr, flush=True)
            line = run_case(row, seed, args.kimg, dataset, options, args.device)
            append_json_line(LINES, line.to_dict())

        missing = list_missing(wanted, args.seeds, args.kimg, read_lines(LINES))
        if status := run_each(missing, run):
            return status
    lines = [line for line in read_lines(LINES) if is_of(line, rows, args.kimg)]
    part = format_results(rows, lines)
    write_results(PAGE, part)
    print(part)
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    keys = [key for key, *_ in SETTINGS]
    parser = build_parser(__doc__, keys, SEEDS, KIMG, "thousand real images seen")
    parser.add_argument("--data-root", type=Path, help="where MNIST lies")
    return parser.parse_args()


def get_setting(row: Row, kimg: float) -> dict[str, Any]:
    """Return the options that tell runs apart."""
    return {**SHARED, **row.changes, "kimg": kimg}


def list_missing(
    rows: list[Row], seeds: list[int], kimg: float, lines: list[Line]
) -> Iterator[tuple[Row, int]]:
    """Yield the runs that no line is of, all rows of a seed before the next seed."""
    for seed in seeds:
        for row in rows:
            if not any(line.seed == seed and is_of(line, [row], kimg) for line in lines):
                yield row, seed


def is_of(line: Line, rows: list[Row], kimg: float) -> bool:
    """Tell whether a line is of one of these rows as they are now, and of that length."""
    return any(line.row == row.key and line.setting == get_setting(row, kimg) for row in rows)


def read_lines(path: Path) -> list[Line]:
    """Read the finished runs; none if there is no file."""
    return [Line(**item) for item in read_json_lines(path)]


def build_config(row: Row, seed: int, kimg: float) -> TrainConfig:
    """Build the options of a training, which is not scored before its end."""
    name = f"{row.key}-seed{seed}-{kimg:g}kimg"
    setting = get_setting(row, kimg)
    return TrainConfig(
        "label_gan", DATA, name, seed=seed, score_every=0, grid_every=0, log_every=100,
        save_every=500, **setting,
    ).resolve()  # fmt: skip


def run_case(
    row: Row, seed: int, kimg: float, dataset: ImageDataset, options: DatasetOptions, device: str
) -> Line:
    """Train a case, or go on with it, and measure its last generator."""
    command = f"python -m docs.label_study --only {row.key} --seeds {seed}"
    config = build_config(row, seed, kimg)
    trainer = open_trainer(config, dataset, options, RUNS, command, device)
    score = labels = error = None
    with trainer.folder.lock():
        try:
            finish_training(trainer)
        except TrainingError as failure:
            error = str(failure)
        else:
            found = score_generator(trainer, trainer.engine.generator_ema, NUM_SAMPLES)
            assert found.labels is not None
            score = describe_score(found.score)
            labels = [
                {**one.describe(), "shares": list(one.shares.values())} for one in found.labels
            ]
    return Line(
        row=row.key,
        seed=seed,
        setting=get_setting(row, kimg),
        steps=trainer.progress.step,
        minutes=round(trainer.progress.seconds / 60, 2),
        device=trainer.device_name,
        score=score,
        labels=labels,
        error=error,
    )


if __name__ == "__main__":
    sys.exit(main())
