"""Run the benchmarks: `python -m benchmarks [--only NAME ...] [--device cpu] [--quick]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.registry import BENCHMARKS
from benchmarks.runner import add_arguments, run_and_record


def build_parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Time the app, sampling and training."
    )
    listing = "; ".join(f"{name}: {item.title}" for name, item in BENCHMARKS.items())
    parser.add_argument(
        "--only",
        action="append",
        choices=sorted(BENCHMARKS),
        metavar="NAME",
        help=f"run this benchmark; may be repeated ({listing})",
    )
    add_arguments(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status."""
    from training.errors import ProjectError

    options = build_parser().parse_args(arguments)
    try:
        run_and_record(options.only or list(BENCHMARKS), options)
    except ProjectError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
