"""The command `compare`: scores of models side by side."""

import argparse
import sys

from explorer.commands.common import (
    Subparsers,
    add_common_arguments,
    add_scoring_arguments,
    build_sampler,
)
from explorer.comparison import MAX_SAMPLES, MIN_SAMPLES, stream_comparison
from explorer.feature_bank import FeatureBank
from training.metrics.reference import load_reference
from training.metrics.tables import format_scores


def add_compare_parser(subparsers: Subparsers) -> None:
    """Add `compare`, which scores models."""
    parser = subparsers.add_parser(
        "compare",
        help="score models side by side",
        description="Score the samples of models against the images they learned; lower is better.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="names of checkpoints")
    parser.add_argument(
        "--num-samples",
        type=int,
        default=2048,
        help=f"samples per model, {MIN_SAMPLES} to {MAX_SAMPLES} (%(default)s)",
    )
    add_scoring_arguments(
        parser, "statistics to compare all models with (those of the images each learned)"
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run_compare)


def run_compare(args: argparse.Namespace) -> int:
    """Print the scores of models, best first, and the scores so far on stderr."""
    sampler = build_sampler(args)
    reference = load_reference(args.reference) if args.reference else None
    updates = stream_comparison(
        FeatureBank(sampler), args.models, args.extractor, args.num_samples, args.seed, reference
    )
    scores = []
    for update in updates:
        score = update.score
        print(
            f"{update.model}: {score.score_name} {score.value:.2f} after {score.num_samples:,} "
            f"of {args.num_samples:,} samples, {update.seconds:.0f} s",
            file=sys.stderr,
        )
        if update.is_last:
            scores.append((update.model, score))
    print(format_scores(sorted(scores, key=lambda row: row[1].value)))
    return 0
