"""Running a command line: expected failures become one sentence on stderr and status 2."""

import argparse
import errno
import sys
from collections.abc import Callable, Sequence

from training.errors import ProjectError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130

ExplainOSError = Callable[[OSError], str | None]
"""Says what to do about a failure of the place to write to, None if it is a bug."""


def explain_full_disk(error: OSError) -> str | None:
    """Explain a full disk."""
    if error.errno != errno.ENOSPC:
        return None
    return f"No space left on the disk: {error}. Free some and go on."


def run_command(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
    explain: ExplainOSError = explain_full_disk,
) -> int:
    """Parse the arguments, run the command they name, and return the exit status.

    A ProjectError, and an OSError that `explain` has a sentence for, is printed on stderr and gives
    2, an interruption 130. Anything else is a bug and keeps its traceback.
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
        sentence = explain(error)
        if sentence is None:
            raise
        return _report(sentence)
    return status


def _report(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return EXIT_ERROR
