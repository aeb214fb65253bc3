"""The command `compare`: scores of models side by side."""

import argparse
import sys
from collections.abc import Mapping

from explorer.commands.common import (
    Subparsers,
    add_common_arguments,
    add_scoring_arguments,
    build_sampler,
)
from explorer.comparison import DIFFERENT_DATA, MAX_SAMPLES, MIN_SAMPLES, stream_comparison
from explorer.feature_bank import FeatureBank
from training.metrics.reference import load_reference
from training.metrics.score import Score
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
    """Print the scores of models by reference, best first, and the scores so far on stderr."""
    sampler = build_sampler(args)
    reference = load_reference(args.reference) if args.reference else None
    updates = stream_comparison(
        FeatureBank(sampler), args.models, args.extractor, args.num_samples, args.seed, reference
    )
    scores: dict[str, Score] = {}
    references: dict[str, str] = {}
    for update in updates:
        score = update.score
        print(
            f"{update.model}: {score.score_name} {score.value:.2f} after {score.num_samples:,} "
            f"of {args.num_samples:,} samples, {update.seconds:.0f} s",
            file=sys.stderr,
        )
        if update.is_last:
            scores[update.model], references[update.model] = score, update.reference
    order = sort_by_reference(scores, {name: references[name] for name in args.models})
    print(format_scores([(name, scores[name]) for name in order]))
    if len(set(references.values())) > 1:
        print(f"\n{DIFFERENT_DATA}")
    return 0


def sort_by_reference(scores: Mapping[str, Score], references: Mapping[str, str]) -> list[str]:
    """Sort names by reference, in the order in which these are first named, then by score."""
    groups = list(dict.fromkeys(references.values()))
    return sorted(references, key=lambda name: (groups.index(references[name]), scores[name].value))
