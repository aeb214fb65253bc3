"""Labels that a generator takes: classes and numbers, and how their values become vectors.

A *row* holds one value per label: the index of a class, or a number in its own unit. A *vector*
is what networks read and write: ones and zeros for classes, -1 to 1 for a number's range. Between
two vectors there are others, and an image for each of them; between two classes there is no row.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.errors import ConfigError
from training.label_kinds import ClassLabel, Label, NumberLabel
from training.latents import check_seed

# Keeps the labels of a seed apart from whatever else is drawn from it.
LABEL_STREAM = 0x1ABE1


KINDS: dict[str, Callable[..., Label]] = {
    "class": ClassLabel,
    "number": NumberLabel,
}


@dataclass(frozen=True)
class LabelLayout:
    """Hold the labels of a model in order; a model without labels has none.

    ``examples`` are rows of real images, which tell how labels come together in the data; none is
    a layout of an earlier version, or of labels alone.
    """

    labels: tuple[Label, ...] = ()
    examples: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        names = [label.name for label in self.labels]
        if len(set(names)) < len(names):
            raise ConfigError(f"The labels {', '.join(names)} do not have names of their own.")
        for row in self.examples:
            self.check(row)

    def __len__(self) -> int:
        """Count the labels."""
        return len(self.labels)

    def __iter__(self) -> Iterator[Label]:
        """Go through the labels."""
        return iter(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in order."""
        return tuple(label.name for label in self.labels)

    @property
    def vector_size(self) -> int:
        """Return the entries of a vector."""
        return sum(label.size for label in self.labels)

    @property
    def basis_size(self) -> int:
        """Return the number of templates that all labels mix."""
        return sum(label.basis_size for label in self.labels)

    def encode(self, rows: Tensor) -> Tensor:
        """Map rows (N, L) to vectors (N, vector_size)."""
        pairs = zip(self.labels, rows.unbind(dim=1), strict=True)
        return torch.cat([label.encode(values) for label, values in pairs], dim=1)

    def weigh(self, vectors: Tensor) -> Tensor:
        """Map vectors (N, vector_size) to weights of the templates, (N, basis_size)."""
        pairs = zip(self.labels, self.split(vectors), strict=True)
        return torch.cat([label.weigh(entries) for label, entries in pairs], dim=1)

    def decode(self, vectors: Tensor) -> Tensor:
        """Read the most likely rows (N, L) off a predictor's vectors (N, vector_size)."""
        pairs = zip(self.labels, self.split(vectors), strict=True)
        return torch.stack([label.decode(entries) for label, entries in pairs], dim=1)

    def split(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Split vectors (N, vector_size) into the entries of each label."""
        return vectors.split([label.size for label in self.labels], dim=1)

    def compute_loss(self, vectors: Tensor, rows: Tensor) -> Tensor:
        """Sum over labels the cross entropy, or squared difference, of a predictor's vectors."""
        parts = zip(self.labels, self.split(vectors), rows.unbind(dim=1), strict=True)
        losses = [label.compute_loss(entries, values) for label, entries, values in parts]
        return torch.stack(losses).sum()

    def draw(self, seeds: Sequence[int]) -> Tensor:
        """Draw the row of each seed, (N, L) float32, labels spread as in the data.

        A row depends on its own seed alone. It is that of a real image, so that labels come
        together as they do in the data; without examples each label is drawn by itself.
        """
        rngs = [np.random.default_rng([LABEL_STREAM, check_seed(seed)]) for seed in seeds]
        if self.examples:
            chosen = [int(rng.integers(len(self.examples))) for rng in rngs]
            return torch.tensor([self.examples[index] for index in chosen]).view(-1, len(self))
        shares = [rng.random(len(self)) for rng in rngs]
        columns = torch.from_numpy(np.array(shares).reshape(len(seeds), len(self))).unbind(dim=1)
        drawn = [label.draw(column) for label, column in zip(self.labels, columns, strict=True)]
        rows = torch.stack(drawn, dim=1) if drawn else torch.empty(len(seeds), 0)
        return rows.float()

    def check(self, row: Sequence[float]) -> None:
        """Raise ConfigError unless a row has a possible value for each label."""
        if len(row) != len(self):
            raise ConfigError(
                f"{len(row)} label values were given, expected {len(self)}: "
                f"{', '.join(self.names) or 'the model takes none'}."
            )
        for label, value in zip(self.labels, row, strict=True):
            label.check(value)

    def check_vectors(self, vectors: Tensor) -> None:
        """Raise ConfigError unless vectors (N, vector_size) are of rows or between some."""
        for label, entries in zip(self.labels, self.split(vectors), strict=True):
            label.check_entries(entries)

    def find(self, name: str) -> Label:
        """Return the label of this name; raises ConfigError if there is none."""
        for label in self.labels:
            if label.name == name:
                return label
        raise ConfigError(
            f"There is no label {name!r}: the model's labels are {', '.join(self.names)}."
            if len(self)
            else f"There is no label {name!r}: the model was trained without labels."
        )

    def parse(self, texts: Mapping[str, str]) -> dict[str, float]:
        """Read values by the labels' names; raises ConfigError for what is unknown or not possible.

        Labels that are not named are left out.
        """
        return {name: self.find(name).parse(text) for name, text in texts.items()}

    def complete(self, seeds: Sequence[int], values: Mapping[str, float]) -> Tensor:
        """Return a row per seed, (N, L), with the values given and the others drawn by seed."""
        rows = self.draw(seeds)
        for column, label in enumerate(self.labels):
            if label.name in values:
                rows[:, column] = values[label.name]
        return rows

    def describe(self, row: Sequence[float]) -> str:
        """Write a row, such as "age 30, gender female"."""
        parts = zip(self.labels, row, strict=True)
        return ", ".join(f"{label.name} {label.format(value)}" for label, value in parts)

    def list_examples(self) -> list[list[float]]:
        """Return the examples as plain JSON values, the shortest that they can be."""
        return [[int(value) if float(value).is_integer() else value for value in row]
                for row in self.examples]  # fmt: skip

    def to_list(self) -> list[dict[str, Any]]:
        """Return the labels, without examples, as plain JSON values."""
        return [label.to_dict() for label in self.labels]

    @classmethod
    def from_list(cls, values: Any, examples: Any = ()) -> "LabelLayout":
        """Build from plain JSON values; raises ConfigError if they describe no labels."""
        try:
            labels = tuple(_build_label(dict(item)) for item in values)
            return cls(labels, tuple(tuple(map(float, row)) for row in examples))
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ConfigError(f"The description of the labels is damaged ({error}).") from error


# Of models that take none.
NO_LABELS = LabelLayout()


def check_rows(layout: LabelLayout, rows: Tensor | None) -> Tensor:
    """Return a batch of rows if there are any with a value per label; raises ConfigError."""
    if rows is None or rows.ndim != 2 or rows.shape[1] != len(layout):
        found = "none" if rows is None else f"rows of shape {tuple(rows.shape)}"
        raise ConfigError(
            f"The model takes label rows of shape (N, {len(layout)}) ({', '.join(layout.names)}), "
            f"found {found}."
        )
    return rows


def _build_label(values: dict[str, Any]) -> Label:
    kind = values.pop("kind")
    fields = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return KINDS[kind](**fields)
