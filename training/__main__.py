"""The command line of the training package: ``python -m training COMMAND``."""

import argparse
import sys
from collections.abc import Sequence

from training import __version__
from training.cards import add_cards_parser
from training.cli import run_command
from training.datasets.cli import add_datasets_parser
from training.metrics.evaluate_cli import add_evaluate_parser
from training.metrics.label_cli import add_fidelity_parser
from training.metrics.reader_cli import add_reader_parser
from training.metrics.reference_cli import add_reference_parser
from training.train_cli import add_train_parser


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m training", description="Train and measure GANs for Latent Explorer."
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add_train_parser(subparsers)
    add_evaluate_parser(subparsers)
    add_reference_parser(subparsers)
    add_reader_parser(subparsers)
    add_fidelity_parser(subparsers)
    add_datasets_parser(subparsers)
    add_cards_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; expected failures become one sentence on stderr and status 2."""
    return run_command(build_parser(), arguments)


if __name__ == "__main__":
    sys.exit(main())
