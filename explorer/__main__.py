"""The command line of the explorer, for use without a browser: ``python -m explorer COMMAND``."""

import argparse
import sys
from collections.abc import Sequence

from explorer import __version__
from explorer.commands.compare import add_compare_parser
from explorer.commands.diagnose import add_diagnose_parser
from explorer.commands.interpolate import add_interpolate_parser
from explorer.commands.replay import add_replay_parser
from explorer.commands.sample import add_sample_parser
from training.cli import run_command

EXAMPLES = """examples:
  python -m explorer sample dcgan-avatars --seeds 0-63 --output grid.png
  python -m explorer interpolate dcgan-avatars --from 1 --to 2 --ping-pong --output morph.gif
  python -m explorer compare dcgan-avatars wgan_gp-avatars --num-samples 5000
  python -m explorer diagnose wgan_gp-celeba sgan-celeba --images evidence
  python -m explorer replay morph.gif --output again.gif
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m explorer",
        description="Sample, morph, compare and diagnose trained generators.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add_sample_parser(subparsers)
    add_interpolate_parser(subparsers)
    add_compare_parser(subparsers)
    add_diagnose_parser(subparsers)
    add_replay_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; expected failures become one sentence on stderr and status 2."""
    return run_command(build_parser(), arguments)


if __name__ == "__main__":
    sys.exit(main())
