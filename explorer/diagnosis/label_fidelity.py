"""Whether samples show the labels that they were asked for, by an independent reader."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.diagnosis.types import LabelEvidence
from explorer.label_reading import read_rows
from explorer.sampler import Sampler
from training.labels import LabelLayout
from training.metrics.label_agreement import LabelAgreement, measure_agreement
from training.metrics.reader_files import READER_FOLDER, describe_reader_command

if TYPE_CHECKING:
    from training.metrics.label_reader import LabelReader

BATCH_SIZE = 64
# More would take long and say little more: the share's error is below two points by then.
MAX_SAMPLES = 1024


def stream_fidelity(
    sampler: Sampler, model: str, reader: "LabelReader", base_seed: int, num_samples: int
) -> Iterator[tuple[LabelEvidence, ...]]:
    """Yield what is known after each 64 samples, whose labels are drawn by seed; 1,024 at most."""
    layout = sampler.get_header(model).model.labels
    real = {one.name: one for one in reader.agreements}
    asked: list[NDArray[np.float32]] = []
    read: list[NDArray[np.float32]] = []
    for start in range(0, min(num_samples, MAX_SAMPLES), BATCH_SIZE):
        stop = min(start + BATCH_SIZE, num_samples, MAX_SAMPLES)
        seeds = range(base_seed + start, base_seed + stop)
        images = sampler.sample_seeds(model, seeds, is_background=True)
        asked.append(layout.draw(seeds).numpy())
        read.append(read_rows(reader, layout, images))
        found = measure_agreement(layout, np.concatenate(asked), np.concatenate(read))
        yield tuple(describe(layout, one, real[one.name]) for one in found)


def explain_labels(sampler: Sampler | None, model: str, reader: "LabelReader | None") -> str | None:
    """Say why labels are not read yet, or never; None for models without labels."""
    if sampler is None or not len(sampler.get_header(model).model.labels):
        return None
    if reader is None:
        folder = sampler.library.shown / READER_FOLDER
        command = describe_reader_command(sampler.get_header(model), folder)
        return f"Nobody here can read the labels of this model: train a reader with {command}."
    return "Labels are read as samples come in."


def describe(layout: LabelLayout, found: LabelAgreement, real: LabelAgreement) -> LabelEvidence:
    """Build the record of one label."""
    return LabelEvidence(
        name=found.name,
        values=tuple(getattr(layout.find(found.name), "values", ())),
        num_samples=found.num_images,
        value=found.value,
        real_value=real.value,
        num_real=real.num_images,
        error=found.error,
        real_error=real.error,
        shares=found.shares,
        confusion=found.confusion,
    )
