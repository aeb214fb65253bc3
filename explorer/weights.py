"""Whether a checkpoint still has the weights that something was made of.

A running training replaces its checkpoint at every better score, and whoever asks for an image next
gets the newer generator's. What belongs together is therefore asked for by the hash of the weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from explorer.library import CheckpointLibrary
from training.errors import CheckpointError

MAKE_AGAIN = "since these images were asked for: make them again"
DIAGNOSE_AGAIN = "since it was diagnosed: diagnose it again to look at the newer one"


def check_weights(library: CheckpointLibrary, name: str, checkpoint: object, advice: str) -> None:
    """Raise CheckpointError unless the weights of a model have the hash ``checkpoint``.

    ``advice`` ends the sentence: since when, and what to do, without the full stop.
    """
    if library.get_fingerprint(name) != checkpoint:
        raise CheckpointError(f"{name} has been written again {advice}.")


@contextmanager
def hold_weights(
    library: CheckpointLibrary, name: str, checkpoint: object, advice: str
) -> Iterator[None]:
    """Check the weights before a block and after it, so that no other generator made anything.

    Raises CheckpointError as `check_weights` does.
    """
    check_weights(library, name, checkpoint, advice)
    yield
    check_weights(library, name, checkpoint, advice)
