"""The command line of the training package: ``python -m training COMMAND``."""

import argparse
import errno
import sys
from collections.abc import Sequence

from training import __version__
from training.cards import add_cards_parser
from training.datasets.cli import add_datasets_parser
from training.errors import ProjectError
from training.metrics.cli import add_evaluate_parser, add_reference_parser
from training.train_cli import add_train_parser

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


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
    add_datasets_parser(subparsers)
    add_cards_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; expected failures become one sentence on stderr and status 2."""
    args = build_parser().parse_args(arguments)
    try:
        status: int = args.run(args)
    except ProjectError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"error: No space left on the disk: {error}. Free some and go on.", file=sys.stderr)
        return EXIT_ERROR
    return status


if __name__ == "__main__":
    sys.exit(main())
