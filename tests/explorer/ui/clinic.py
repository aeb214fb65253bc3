"""A served app whose models can be diagnosed, and what tests do to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from explorer.ui.context import AppContext
from tests.explorer.ui.live_app import LiveApp
from training.datasets.types import ImageDataset
from training.files import write_bytes


@dataclass(frozen=True)
class Clinic:
    """Hold a served app whose models can be diagnosed, and their data set."""

    app: LiveApp
    dataset: ImageDataset

    @property
    def context(self) -> AppContext:
        """Return what the app computes with."""
        return self.app.context


@contextmanager
def replaced(clinic: Clinic) -> Iterator[None]:
    """Let the file of "one" hold the weights of "stuck" for a while."""
    path = clinic.app.library.get("one").path
    original = path.read_bytes()
    # As a training does: whoever reads meanwhile finds one file or the other, whole.
    write_bytes(path, clinic.app.library.get("stuck").path.read_bytes())
    try:
        yield
    finally:
        write_bytes(path, original)


def build_context(clinic: Clinic, sends_real_images: bool = True) -> AppContext:
    """Build a context of its own over the clinic's models, which has shown nothing yet."""
    given = clinic.context
    context = AppContext(
        given.library, given.sampler, given.exports, given.runs, given.scores, sends_real_images,
        worker=given.worker,
    )  # fmt: skip
    context.bank = given.bank  # the extractor is loaded there
    return context
