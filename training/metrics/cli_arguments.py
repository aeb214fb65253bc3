"""What the commands that measure have in common."""

import argparse
from pathlib import Path
from typing import TypeAlias

from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS

REFERENCE_FOLDER = Path("checkpoints/references")

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_extractor_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the feature network, its weights and its device."""
    parser.add_argument(
        "--extractor",
        choices=EXTRACTORS,
        default=DEFAULT_EXTRACTOR,
        help="feature network; only inception gives FID (%(default)s)",
    )
    parser.add_argument(
        "--extractor-weights", type=Path, metavar="FILE", help="file with the network's weights"
    )
    add_device_argument(parser)


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses where to compute."""
    parser.add_argument(
        "--device", default="auto", help="auto, cuda, mps or cpu (%(default)s)", metavar="DEVICE"
    )


def parse_count(text: str) -> int:
    """Parse a whole number above 0; raises ArgumentTypeError saying what was found."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number above 0")
    return int(text)
