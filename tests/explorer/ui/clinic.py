"""A served app whose models can be diagnosed, and what tests do to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from explorer.ui.context import AppContext
from tests.explorer.ui.live_app import LiveApp
from training.datasets.types import ImageDataset


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
    path.write_bytes(clinic.app.library.get("stuck").path.read_bytes())
    try:
        yield
    finally:
        path.write_bytes(original)


def build_context(clinic: Clinic, sends_real_images: bool = True) -> AppContext:
    """Build a context of its own over the clinic's models, which has shown nothing yet."""
    given = clinic.context
    context = AppContext(
        given.library, given.sampler, given.exports, given.runs, given.scores, sends_real_images,
        worker=given.worker,
    )  # fmt: skip
    context.bank = given.bank  # the extractor is loaded there
    return context
