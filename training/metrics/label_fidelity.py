"""Label fidelity: whether a stranger reads, off generated images, the labels asked for."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.errors import MetricError
from training.images import to_float
from training.labels import LabelLayout
from training.metrics.label_agreement import LabelAgreement, measure_agreement
from training.metrics.label_reader import LabelReader
from training.metrics.sampling import MakeLabelled

BATCH_SIZE = 64


@dataclass(frozen=True, eq=False)
class LabelFidelity:
    """Hold, for one label, how well generated images show what was asked for.

    ``fidelity`` is what the independent reader reads, ``real`` the same reader on real images that
    it did not learn from, ``predicted`` what the generator's own predictor reads; None without one.
    """

    fidelity: LabelAgreement
    real: LabelAgreement
    predicted: LabelAgreement | None

    @property
    def hidden_information(self) -> float | None:
        """Return how much better the predictor reads than the stranger: what hides from the eye.

        In shares of images, or in rank correlation; None without a predictor.
        """
        if self.predicted is None:
            return None
        return self.predicted.value - self.fidelity.value

    def describe(self) -> dict[str, Any]:
        """Return the numbers as plain JSON values."""
        return {
            "label": self.fidelity.name,
            "fidelity": self.fidelity.describe(),
            "reader_on_real": self.real.describe(),
            "predictor": None if self.predicted is None else self.predicted.describe(),
            "hidden_information": self.hidden_information,
        }


def measure_fidelity(
    make_images: MakeLabelled,
    layout: LabelLayout,
    reader: LabelReader,
    num_samples: int,
    critic: nn.Module | None = None,
) -> tuple[LabelFidelity, ...]:
    """Compare the labels asked for with those read off ``num_samples`` generated images.

    ``critic`` is the one whose predictor taught the generator, where it is at hand. Raises
    MetricError if the reader learned other labels.
    """
    check_reader(reader, layout)
    columns = [reader.layout.names.index(name) for name in layout.names]
    asked: list[NDArray[np.float32]] = []
    read: list[NDArray[np.float32]] = []
    predicted: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, num_samples, BATCH_SIZE):
            images, rows = make_images(start, min(BATCH_SIZE, num_samples - start))
            asked.append(rows.cpu().numpy())
            read.append(reader.read(images)[:, columns])
            if critic is not None:
                vectors = critic.read(to_float(images))  # type: ignore[operator]
                predicted.append(layout.decode(vectors.float()).cpu().numpy())
    wanted = np.concatenate(asked)
    strangers = measure_agreement(layout, wanted, np.concatenate(read))
    own: tuple[LabelAgreement | None, ...] = (None,) * len(layout)
    if predicted:
        own = measure_agreement(layout, wanted, np.concatenate(predicted))
    real = [reader.agreements[column] for column in columns]
    return tuple(map(LabelFidelity, strangers, real, own))


def check_reader(reader: LabelReader, layout: LabelLayout) -> None:
    """Raise MetricError unless a reader can read all labels of a layout, by the same values."""
    known = {label.name: label for label in reader.layout}
    for label in layout:
        found = known.get(label.name)
        if found is None:
            raise MetricError(
                f"The reader learned {', '.join(known)}, and not {label.name}: train one that "
                "knows all labels of the model."
            )
        wanted, values = getattr(label, "values", None), getattr(found, "values", None)
        if wanted != values:
            raise MetricError(
                f"The reader knows other values of {label.name} than the model: "
                f"{_list(values)} instead of {_list(wanted)}."
            )


def _list(values: tuple[str, ...] | None) -> str:
    return "numbers" if values is None else ", ".join(values)
