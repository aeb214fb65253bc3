"""Notes on what of a data set was passed over: counted, and the first ones named."""

from collections.abc import Sequence

MAX_NAMED = 10
MAX_REASONS = 3


def list_names(names: Sequence[str]) -> str:
    """List the first ten names and count the others, e.g. "a.png, b.png and 3 more"."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{', '.join(names[:MAX_NAMED])}{more}"


def count_things(count: int, thing: str) -> str:
    """Write a number with its noun, e.g. "1 image" or "1,200 images"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def describe_failures(failures: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Name the files that were skipped in one sentence, and for the first ones say why."""
    if not failures:
        return ()
    reasons = [f"{name} ({reason})" for name, reason in failures[:MAX_REASONS]]
    named = list_names(reasons + [name for name, _ in failures[MAX_REASONS:]])
    return (f"skipped {count_things(len(failures), 'file')} that cannot be decoded: {named}",)
