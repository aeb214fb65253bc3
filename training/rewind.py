"""What is said and recorded when a training diverges: why it stops, or where it goes back to."""

from training.errors import DivergenceError
from training.history import Row
from training.progress import Progress

MAX_REWINDS = 3
RATE_FACTOR = 0.5


def describe_rewind(
    error: DivergenceError, progress: Progress, num_rewinds: int, rates: dict[str, float]
) -> Row:
    """Return the row of metrics that records a rewind to ``progress``."""
    return {
        **progress.describe(),
        "event": "rewind",
        "failed_step": error.step,
        "network": error.network,
        "reason": error.finding,
        "num_rewinds": num_rewinds,
        **rates,
    }


def announce_rewind(error: DivergenceError, step: int, num_rewinds: int) -> str:
    """Say that a training goes back, and what will be different this time."""
    return (
        f"{error.finding}: going back to step {step} with both learning rates halved (rewind "
        f"{num_rewinds} of {MAX_REWINDS}). The same images follow in the same order; only the "
        "lower rates make them end differently."
    )


def explain_stop(error: DivergenceError, num_rewinds: int, resume_command: str) -> str:
    """Say why a training cannot go on, and what to do."""
    advice = (
        f"or go back to that save with both rates halved: {resume_command} --on-nan rewind"
        if num_rewinds < MAX_REWINDS
        else f"since {num_rewinds} rewinds with ever lower rates did not help"
    )
    return (
        f"{error.finding}: training cannot go on. The checkpoint and the saved state are those of "
        f"the last good save; start a new run with a lower learning rate, {advice}"
    )
