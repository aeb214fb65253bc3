"""The command `evaluate`: scores and metrics of checkpoints."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from training.checkpoint import SUFFIX, load_generator, load_header
from training.cli import EXIT_INTERRUPTED
from training.datasets.cli import add_place_arguments, parse_crop
from training.devices import select_device
from training.errors import MetricError
from training.latents import check_seed
from training.metrics.chart import check_chart_path, draw_evaluations, draw_repeated
from training.metrics.cli_arguments import (
    REFERENCE_FOLDER,
    Subparsers,
    add_extractor_arguments,
    expand_patterns,
    name_model,
    parse_count,
)
from training.metrics.evaluation import (
    METRIC_KEYS,
    Evaluation,
    Features,
    RepeatedScore,
    collect_features,
    evaluate_features,
    find_obstacles,
    score_sets,
)
from training.metrics.extractors import Extractor, load_extractor
from training.metrics.frechet_estimator import check_enough
from training.metrics.reference import MAX_IMAGES
from training.metrics.reference_choice import choose_reference
from training.metrics.reference_files import ReferenceStatistics
from training.metrics.sampling import make_features, make_seeded_images
from training.metrics.tables import format_as_json, format_evaluations, format_repeated

CHECKPOINT_FOLDER = Path("checkpoints")
DEFAULT_NUM_SAMPLES = 5000
# Sets and samples per set. Shadab 2022, Experiment 1; Heusel et al. 2017 want 10,000 samples.
PROTOCOLS = {"standard": (1, 10_000), "thesis": (10, 128)}
THESIS_CHART = Path("experiment1.svg")
ALL = "all"
EXAMPLES = """examples:
  python -m training evaluate checkpoints/dcgan-avatars.safetensors
  python -m training evaluate checkpoints/*.safetensors --num-samples 10000 --json > scores.json
  python -m training evaluate checkpoints/*celeba.safetensors --metrics kid --chart scores.svg
  python -m training evaluate --protocol thesis
"""

NOTES = f"""
A reference holds at most {MAX_IMAGES:,} images, unless --reference-images says otherwise. infinite
N is without the bias of few samples, and keeps that of the reference. Published FIDs mostly compare
50,000 samples with all images: make a reference of all with `reference --data DATA --extractor
inception --reference-images N`, then give --extractor inception --num-samples 50000.
"""

Result = TypeVar("Result", Evaluation, RepeatedScore)


@dataclass(frozen=True)
class Job:
    """Hold a checkpoint to evaluate, what it is called, and the reference that fits it."""

    path: Path
    name: str
    reference: ReferenceStatistics
    metrics: tuple[str, ...] = ()


def add_evaluate_parser(subparsers: Subparsers) -> None:
    """Add `evaluate`, which scores checkpoints against the data they were trained on."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score checkpoints",
        description="Score the samples of checkpoints against real images; lower is better. Also"
        " measured are KID, precision, recall, density, coverage and the Inception Score.",
        epilog=EXAMPLES + NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoints", nargs="*", type=Path, metavar="CHECKPOINT",
        help=f"generators to score (with --protocol: all of {CHECKPOINT_FOLDER}/)",
    )  # fmt: skip
    parser.add_argument(
        "--num-samples", type=parse_count, metavar="N",
        help=f"samples per model ({DEFAULT_NUM_SAMPLES})",
    )  # fmt: skip
    parser.add_argument(
        "--protocol", choices=PROTOCOLS,
        help="standard: 10,000 samples; thesis: mean and deviation of the scores of 10 x 128"
        f" samples, with a chart in {THESIS_CHART}",
    )  # fmt: skip
    parser.add_argument(
        "--metrics", type=_parse_metrics, default=ALL, metavar="LIST",
        help=f"beside the score: {','.join(METRIC_KEYS)}, all that can be computed (all), or none",
    )  # fmt: skip
    add_extractor_arguments(parser)
    parser.add_argument(
        "--reference", metavar="FILE_OR_DATA",
        help="reference statistics, or a data set to measure, such as folder:photos (those of the"
        f" images each learned, in {REFERENCE_FOLDER}, references/ beside it, or the cache)",
    )  # fmt: skip
    parser.add_argument(
        "--crop", type=parse_crop, metavar="L,T,R,B",
        help="of a data set measured: cut this square out of every image (the centred square)",
    )  # fmt: skip
    add_place_arguments(parser)
    parser.add_argument(
        "--batch-size", type=parse_count, default=64, help="images per batch (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first sample; the rest count up (0)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list, not a table")
    parser.add_argument(
        "--chart", type=Path, metavar="FILE", help="also draw the scores: .svg or .png"
    )
    parser.set_defaults(run=run_evaluate)


def run_evaluate(args: argparse.Namespace) -> int:
    """Score checkpoints and print tables or JSON on stdout, progress on stderr.

    Interrupted, it prints the models that are done and returns 130.
    """
    num_sets, size = _choose_counts(args)
    # Everything that can be found missing is, before the first of many minutes is spent.
    paths = _choose_checkpoints(args)
    jobs = [Job(path, name_model(path, paths), choose_reference(path, args)) for path in paths]
    extractor = load_extractor(args.extractor, args.extractor_weights, select_device(args.device))
    if num_sets > 1:
        return _run_thesis(jobs, num_sets, size, extractor, args)
    return _run_once(_choose_metrics(args.metrics, jobs, extractor), size, extractor, args)


def _run_once(
    jobs: Sequence[Job], size: int, extractor: Extractor, args: argparse.Namespace
) -> int:
    def evaluate(job: Job, bar: tqdm) -> Evaluation:
        features = _extract(job, size, extractor, args, bar)
        return evaluate_features(
            job.name, features, job.reference, extractor, job.metrics, bar.set_postfix_str
        )

    def show(results: list[Evaluation]) -> None:
        print(format_as_json(results) if args.json else format_evaluations(results))

    results = _run_jobs(jobs, size, evaluate, show)
    if len(results) < len(jobs):
        return EXIT_INTERRUPTED
    if args.chart:
        draw_evaluations(args.chart, results)
        print(f"Written: {args.chart}", file=sys.stderr)
    return 0


def _run_thesis(
    jobs: Sequence[Job], num_sets: int, size: int, extractor: Extractor, args: argparse.Namespace
) -> int:
    def evaluate(job: Job, bar: tqdm) -> RepeatedScore:
        features = _extract(job, num_sets * size, extractor, args, bar)
        return score_sets(job.name, features, job.reference, extractor, num_sets)

    def show(results: list[RepeatedScore]) -> None:
        print(format_as_json(results) if args.json else format_repeated(results))

    results = _run_jobs(jobs, num_sets * size, evaluate, show)
    if len(results) < len(jobs):
        return EXIT_INTERRUPTED
    chart = args.chart or THESIS_CHART
    draw_repeated(chart, results)
    print(f"Written: {chart}", file=sys.stderr)
    return 0


def _run_jobs(
    jobs: Sequence[Job],
    num_samples: int,
    evaluate: Callable[[Job, tqdm], Result],
    show: Callable[[list[Result]], None],
) -> list[Result]:
    """Evaluate one model after the other, and show those that are done whatever ends it.

    Ctrl-C ends it early without an error: then there are fewer results than jobs.
    """
    results: list[Result] = []
    try:
        for job in jobs:
            with tqdm(total=num_samples, desc=job.name, unit="img") as bar:
                results.append(evaluate(job, bar))
                bar.set_postfix_str("")
    except KeyboardInterrupt:
        print(f"Interrupted: {len(results)} of {len(jobs)} models are done.", file=sys.stderr)
    finally:
        if results:
            show(results)
    return results


def _extract(
    job: Job, num_samples: int, extractor: Extractor, args: argparse.Namespace, bar: tqdm
) -> Features:
    generator, _ = load_generator(job.path, extractor.device)
    get_features = make_features(
        make_seeded_images(generator, extractor.device, args.seed), extractor
    )
    return collect_features(get_features, num_samples, extractor.dim, args.batch_size, bar.update)


def _choose_counts(args: argparse.Namespace) -> tuple[int, int]:
    """Return the number of sets and of samples in each, checked, with seeds and chart."""
    if args.protocol and args.num_samples:
        raise MetricError(
            f"Evaluate: found --num-samples and --protocol {args.protocol}, which sets the number"
            " of samples itself; leave one of them out."
        )
    num_sets, size = PROTOCOLS.get(args.protocol, (1, args.num_samples or DEFAULT_NUM_SAMPLES))
    if num_sets > 1 and args.metrics not in (ALL, ()):
        raise MetricError(
            f"Evaluate: --protocol {args.protocol} has no metrics beside the score, since {size}"
            " samples are too few for them; leave --metrics out."
        )
    check_enough(size)
    check_seed(args.seed)
    check_seed(args.seed + num_sets * size - 1)
    if args.chart:
        check_chart_path(args.chart)
    elif num_sets > 1:
        check_chart_path(THESIS_CHART)
    return num_sets, size


def _choose_checkpoints(args: argparse.Namespace) -> list[Path]:
    """Return the checkpoints given, or all shipped ones; every header and weight is readable."""
    paths = expand_patterns(args.checkpoints)
    if not paths and args.protocol:
        paths = sorted(CHECKPOINT_FOLDER.glob(f"*{SUFFIX}"))
    if not paths:
        where = f"found none in {CHECKPOINT_FOLDER}/" if args.protocol else "found none"
        raise MetricError(
            f"Evaluate: {where}, expected at least one CHECKPOINT such as"
            f" {CHECKPOINT_FOLDER}/NAME{SUFFIX}."
        )
    for path in paths:
        load_header(path)
        load_generator(path)
    return paths


def _choose_metrics(
    asked: str | tuple[str, ...], jobs: Sequence[Job], extractor: Extractor
) -> list[Job]:
    """Return the jobs with the metrics asked for; MetricError if one cannot be computed.

    What "all" leaves out is said on stderr.
    """
    keys = METRIC_KEYS if isinstance(asked, str) else asked
    planned: list[Job] = []
    left_out: dict[str, None] = {}
    for job in jobs:
        obstacles = dict(find_obstacles(keys, job.reference, extractor))
        left_out.update({f"{key}: {reason}": None for key, reason in obstacles.items()})
        planned.append(replace(job, metrics=tuple(key for key in keys if key not in obstacles)))
    if left_out and asked != ALL:
        raise MetricError(
            f"Evaluate: cannot compute {next(iter(left_out))}. Or leave it out of --metrics."
        )
    for reason in left_out:
        print(f"Left out {reason}.", file=sys.stderr)
    return planned


def _parse_metrics(text: str) -> str | tuple[str, ...]:
    if text == ALL:
        return ALL
    keys = () if text == "none" else tuple(dict.fromkeys(text.split(",")))
    unknown = [key for key in keys if key not in METRIC_KEYS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"found {', '.join(unknown)!r}, expected all, none, or some of {','.join(METRIC_KEYS)}"
        )
    return keys
