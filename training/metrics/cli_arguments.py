"""What the commands that measure have in common."""

import argparse
import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from training.errors import MetricError
from training.metrics.extractors import DEFAULT_EXTRACTOR, EXTRACTORS

REFERENCE_FOLDER = Path("checkpoints/references")
DEFAULT_READER_FOLDER = Path("checkpoints/readers")

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


def expand_patterns(paths: Sequence[Path]) -> list[Path]:
    """Replace patterns such as checkpoints/*.safetensors by the files that match, sorted.

    Shells of Windows leave that to programs. Raises MetricError for a pattern that nothing matches.
    """
    found: list[Path] = []
    for path in paths:
        if path.exists() or not glob.has_magic(str(path)):
            found.append(path)
            continue
        matching = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        if not matching:
            raise MetricError(f"No file matches {path}: check the pattern, or name files.")
        found += matching
    return found


def name_model(path: Path, paths: Sequence[Path]) -> str:
    """Return a checkpoint's name; its path where another one of those given has the same name."""
    names = [other.stem for other in paths]
    return path.stem if names.count(path.stem) == 1 else str(path)


def parse_count(text: str) -> int:
    """Parse a whole number above 0; raises ArgumentTypeError saying what was found."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number above 0")
    return int(text)
