"""Label fidelity: whether a stranger reads, off generated images, the labels asked for."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.errors import MetricError
from training.images import to_float
from training.labels import LabelLayout
from training.metrics.extractors import Extractor
from training.metrics.label_agreement import LabelAgreement, measure_agreement
from training.metrics.label_diversity import LabelDiversity, measure_diversity
from training.metrics.label_reader import LabelReader
from training.metrics.sampling import MakeLabelled

BATCH_SIZE = 64

Readings = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LabelFidelity:
    """Hold, for one label, how well generated images show what was asked for.

    ``fidelity`` is what the independent reader reads, ``real`` the same reader on real images that
    it did not learn from, ``predicted`` what the generator's own predictor reads; None without one.
    ``diversity`` says how far images of one value differ; None where features are not at hand.
    """

    fidelity: LabelAgreement
    real: LabelAgreement
    predicted: LabelAgreement | None
    diversity: LabelDiversity | None = None
    values: tuple[str, ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """Return the share read right of each class, by its name; empty for numbers."""
        return dict(zip(self.values, self.fidelity.shares, strict=True))

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
            "diversity": None if self.diversity is None else self.diversity.describe(),
        }


@dataclass(frozen=True, eq=False)
class RealLabels:
    """Hold features (M, d) of real images and their label rows (M, L), and what extracted them."""

    extractor: Extractor
    features: NDArray[np.float32]
    rows: NDArray[np.float32]


class FidelityMeter:
    """Read the labels of generated images, batch by batch, and compare all that was read.

    ``critic`` is the one whose predictor taught the generator, where it is at hand. Raises
    MetricError if the reader learned other labels.
    """

    def __init__(
        self, layout: LabelLayout, reader: LabelReader, critic: nn.Module | None = None
    ) -> None:
        check_reader(reader, layout)
        self._layout, self._reader, self._critic = layout, reader, critic
        self._columns = [reader.layout.names.index(name) for name in layout.names]
        self._readings: list[Readings] = []

    @property
    def num_columns(self) -> int:
        """Return the columns of readings: of each label what was asked for, read, and predicted."""
        return 3 * len(self._layout)

    def read(self, images: Tensor, rows: Tensor) -> Readings:
        """Read uint8 images (N, C, H, W) of label rows (N, L): readings float32 (N, 3 L).

        What no predictor read is not a number.
        """
        asked = rows.float().cpu().numpy()
        with torch.inference_mode():
            read = self._reader.read(images)[:, self._columns]
            predicted = np.full_like(asked, np.nan)
            if self._critic is not None:
                predicted = self._predict(self._critic, images)
        return np.concatenate([asked, read, predicted], axis=1)

    def add(self, readings: Readings) -> None:
        """Take readings into account."""
        self._readings.append(readings)

    @property
    def asked(self) -> Readings:
        """Return the label rows asked for so far, (N, L)."""
        return np.concatenate(self._readings)[:, : len(self._layout)]

    def compute(self) -> tuple[LabelFidelity, ...]:
        """Compare all readings so far, label by label."""
        asked, read, predicted = np.split(np.concatenate(self._readings), 3, axis=1)
        strangers = measure_agreement(self._layout, asked, read)
        own: tuple[LabelAgreement | None, ...] = (None,) * len(self._layout)
        if self._critic is not None:
            own = measure_agreement(self._layout, asked, predicted)
        real = [self._reader.agreements[column] for column in self._columns]
        return tuple(
            LabelFidelity(read, truth, guess, values=getattr(label, "values", ()))
            for label, read, truth, guess in zip(self._layout, strangers, real, own, strict=True)
        )

    def _predict(self, critic: nn.Module, images: Tensor) -> Readings:
        """Read by the predictor; a critic in training would take part of its measure from this."""
        is_training = critic.training
        critic.eval()
        try:
            vectors = critic.read(to_float(images))  # type: ignore[operator]
        finally:
            critic.train(is_training)
        found: Readings = self._layout.decode(vectors.float()).cpu().numpy()
        return found


def measure_fidelity(
    make_images: MakeLabelled,
    layout: LabelLayout,
    reader: LabelReader,
    num_samples: int,
    critic: nn.Module | None = None,
    real: RealLabels | None = None,
) -> tuple[LabelFidelity, ...]:
    """Compare the labels asked for with those read off ``num_samples`` generated images.

    With ``real`` images of the data the diversity within labels is measured too.
    """
    meter = FidelityMeter(layout, reader, critic)
    features = []
    for start in range(0, num_samples, BATCH_SIZE):
        images, rows = make_images(start, min(BATCH_SIZE, num_samples - start))
        meter.add(meter.read(images, rows))
        if real is not None:
            features.append(real.extractor(images).numpy())
    found = meter.compute()
    if real is None:
        return found
    return add_diversity(found, layout, np.concatenate(features), meter.asked, real)


def add_diversity(
    found: tuple[LabelFidelity, ...],
    layout: LabelLayout,
    features: Readings,
    asked: Readings,
    real: RealLabels,
) -> tuple[LabelFidelity, ...]:
    """Return fidelities with the diversity of features (N, d) of images with rows asked (N, L)."""
    spreads = measure_diversity(layout, features, asked, real.features, real.rows)
    return tuple(replace(one, diversity=spread) for one, spread in zip(found, spreads, strict=True))


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
