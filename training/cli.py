"""Running a command line: expected failures become one sentence on stderr and status 2."""

import argparse
import sys
from collections.abc import Sequence

from training.errors import ProjectError
from training.files import FULL_DISK

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def run_command(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse the arguments, run the command they name, and return the exit status.

    A ProjectError and a full disk are a sentence on stderr and give 2, an interruption gives 130.
    Anything else is a bug and keeps its traceback.
    """
    args = parser.parse_args(arguments)
    try:
        status: int = args.run(args)
    except ProjectError as error:
        return _report(str(error))
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        return _report(f"{FULL_DISK[error.errno]}: {error}. Free some and go on.")
    return status


def _report(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return EXIT_ERROR
