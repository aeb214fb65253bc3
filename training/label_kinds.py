"""Kinds of labels: one of several named values, or a number."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.errors import ConfigError

# A number's template is drawn between so many values of its range.
NUM_KNOTS = 6
MAX_CLASSES = 1000
# Values that a message names.
MAX_SHOWN = 8
# Where a number's sweep begins and ends, in shares of the data.
STOPS = (0.05, 0.95)
# Rows are float32, ranges are not; in shares of the range.
ROUNDING = 1e-6
# Beyond, rounding would overflow; such numbers are kept as they are.
MAX_DIGITS = 12


class Label(Protocol):
    """What each kind of label can do; values are (N,) float tensors."""

    @property
    def name(self) -> str:
        """Return the label's name."""

    @property
    def size(self) -> int:
        """Return how many entries of a vector the label takes."""

    @property
    def basis_size(self) -> int:
        """Return how many templates the label mixes."""

    def encode(self, values: Tensor) -> Tensor:
        """Map values to vector entries, (N, size) in -1 to 1."""

    def decode(self, entries: Tensor) -> Tensor:
        """Read the most likely values off a predictor's entries (N, size)."""

    def weigh(self, entries: Tensor) -> Tensor:
        """Map entries (N, size) to weights of templates, (N, basis_size), which sum to 1."""

    def compute_loss(self, entries: Tensor, values: Tensor) -> Tensor:
        """Compare a predictor's entries (N, size) with values: the mean over N."""

    def draw(self, shares: Tensor) -> Tensor:
        """Map numbers spread evenly over [0, 1) to values spread as in the data."""

    def check(self, value: float) -> None:
        """Raise ConfigError unless the label can have the value."""

    def check_entries(self, entries: Tensor) -> None:
        """Raise ConfigError unless entries (N, size) are of values or between some."""

    def list_stops(self, count: int) -> list[float]:
        """List values from first to last: every class, or ``count`` numbers."""

    def parse(self, text: str) -> float:
        """Read a value; raises ConfigError if the label cannot have it."""

    def format(self, value: float) -> str:
        """Write a value."""

    def describe(self) -> str:
        """Write which values there are."""

    def to_dict(self) -> dict[str, Any]:
        """Return the label as plain JSON values."""


@dataclass(frozen=True)
class ClassLabel:
    """Hold a label that is one of several named values, and their shares of the data."""

    name: str
    values: tuple[str, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        check_texts((self.name, *self.values))
        if not 2 <= len(self.values) <= MAX_CLASSES or len(set(self.values)) < len(self.values):
            shown = ", ".join(self.values[:MAX_SHOWN]) or "none"
            more = f" and {len(self.values) - MAX_SHOWN:,} more" * (len(self.values) > MAX_SHOWN)
            raise ConfigError(
                f"The label {self.name} has the values {shown}{more}: expected 2 to {MAX_CLASSES}, "
                f"each its own. Learn others (--labels), or numbers (--labels {self.name}:number)."
            )
        if len(self.shares) != len(self.values) or not math.isclose(
            math.fsum(self.shares), 1.0, abs_tol=1e-4
        ):
            raise ConfigError(f"The shares of the values of {self.name} are not those of a whole.")

    @property
    def size(self) -> int:
        """Return the number of classes."""
        return len(self.values)

    @property
    def basis_size(self) -> int:
        """Return the number of classes: each has its template."""
        return len(self.values)

    def encode(self, values: Tensor) -> Tensor:
        """Map indices (N,) to ones and zeros (N, classes)."""
        # functional.one_hot looks at the values, for which it waits for some devices.
        classes = torch.arange(self.size, device=values.device)
        return (values.long()[:, None] == classes).to(values.dtype)

    def decode(self, entries: Tensor) -> Tensor:
        """Return the index of the largest logit, (N,)."""
        return entries.argmax(dim=1).to(entries.dtype)

    def weigh(self, entries: Tensor) -> Tensor:
        """Return the entries (N, classes): a class is all of its one template."""
        return entries

    def compute_loss(self, entries: Tensor, values: Tensor) -> Tensor:
        """Compute the mean cross entropy of logits (N, classes)."""
        return functional.cross_entropy(entries.float(), values.long())

    def draw(self, shares: Tensor) -> Tensor:
        """Map numbers in [0, 1) to indices, as often as they are in the data."""
        ends = torch.tensor(self.shares, dtype=shares.dtype).cumsum(0)[:-1]
        return torch.bucketize(shares.contiguous(), ends, right=True).to(shares.dtype)

    def check(self, value: float) -> None:
        """Raise ConfigError unless it is the index of a class."""
        if value not in range(self.size):
            raise ConfigError(
                f"The label {self.name} is {value:g}: expected the number of one of its values, "
                f"0 to {self.size - 1} ({', '.join(self.values)})."
            )

    def check_entries(self, entries: Tensor) -> None:
        """Raise ConfigError unless entries (N, classes) are shares of a whole."""
        sums = entries.sum(dim=1)
        if (entries < 0).any() or not torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
            raise ConfigError(f"The entries of the label {self.name} are not shares of a whole.")

    def list_stops(self, count: int) -> list[float]:
        """List the indices of all classes."""
        return [float(index) for index in range(self.size)]

    def parse(self, text: str) -> float:
        """Read the name of a value."""
        if text not in self.values:
            raise ConfigError(
                f"The label {self.name} is {text!r}: choose one of {', '.join(self.values)}."
            )
        return float(self.values.index(text))

    def format(self, value: float) -> str:
        """Write the name of a value."""
        return self.values[int(value)]

    def describe(self) -> str:
        """Write the names of the values."""
        return ", ".join(self.values)

    def to_dict(self) -> dict[str, Any]:
        """Return the label as plain JSON values."""
        return {
            "kind": "class",
            "name": self.name,
            "values": list(self.values),
            "shares": list(self.shares),
        }


@dataclass(frozen=True)
class NumberLabel:
    """Hold a label that is a number, by quantiles of the data: the first and last are its range."""

    name: str
    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        check_texts((self.name,))
        if (
            len(self.quantiles) < 2
            or not all(map(math.isfinite, self.quantiles))
            or list(self.quantiles) != sorted(self.quantiles)
            or not 0 < self.high - self.low < math.inf
        ):
            raise ConfigError(f"The label {self.name} has no range: its quantiles do not ascend.")

    @property
    def low(self) -> float:
        """Return the smallest value in the data."""
        return self.quantiles[0]

    @property
    def high(self) -> float:
        """Return the largest value in the data."""
        return self.quantiles[-1]

    @property
    def size(self) -> int:
        """Return 1."""
        return 1

    @property
    def basis_size(self) -> int:
        """Return the number of knots that templates belong to."""
        return NUM_KNOTS

    def encode(self, values: Tensor) -> Tensor:
        """Map numbers (N,) to -1 to 1 over the range, (N, 1)."""
        return (2 * (values - self.low) / (self.high - self.low) - 1)[:, None]

    def decode(self, entries: Tensor) -> Tensor:
        """Map entries (N, 1) back to numbers, (N,), outside of the range too."""
        return self.low + (entries[:, 0] + 1) * (self.high - self.low) / 2

    def weigh(self, entries: Tensor) -> Tensor:
        """Map entries (N, 1) to weights of the two knots around them, (N, knots), linearly."""
        place = (entries + 1) / 2 * (NUM_KNOTS - 1)  # (N, 1)
        knots = torch.arange(NUM_KNOTS, dtype=entries.dtype, device=entries.device)
        return (1 - (place - knots).abs()).clamp(min=0)

    def compute_loss(self, entries: Tensor, values: Tensor) -> Tensor:
        """Compute the mean squared difference from entries (N, 1)."""
        return functional.mse_loss(entries.float(), self.encode(values.float()))

    def draw(self, shares: Tensor) -> Tensor:
        """Map numbers in [0, 1) to values between the quantiles."""
        places = np.linspace(0.0, 1.0, len(self.quantiles))
        return torch.from_numpy(np.interp(shares.numpy(), places, self.quantiles)).to(shares.dtype)

    def check(self, value: float) -> None:
        """Raise ConfigError unless it is in the range of the data."""
        slack = ROUNDING * (self.high - self.low)
        if not self.low - slack <= value <= self.high + slack:
            raise ConfigError(
                f"The label {self.name} is {value:g}: expected {self.low:g} to {self.high:g}."
            )

    def check_entries(self, entries: Tensor) -> None:
        """Raise ConfigError unless entries (N, 1) are in -1 to 1."""
        if not (entries.abs() <= 1 + 1e-4).all():
            raise ConfigError(
                f"An entry of the label {self.name} is out of range: expected -1 to 1."
            )

    def list_stops(self, count: int) -> list[float]:
        """List at most ``count`` numbers, evenly spaced over the middle nine tenths of the data.

        What is rarest is seldom learned well. Where the middle is one number, the whole range is
        taken instead. Numbers have no more digits than tell them apart.
        """
        places = np.linspace(0.0, 1.0, len(self.quantiles))
        low, high = map(float, np.interp(STOPS, places, self.quantiles))
        if low == high:
            low, high = self.low, self.high
        digits = 2 - math.floor(math.log10(high - low))
        values = np.linspace(low, high, count)
        if abs(digits) < MAX_DIGITS:
            values = values.round(digits).clip(self.low, self.high)
        return [float(value) for value in dict.fromkeys(values.tolist())]

    def parse(self, text: str) -> float:
        """Read a number."""
        try:
            value = float(text)
        except ValueError as error:
            raise ConfigError(
                f"The label {self.name} is {text!r}: expected a number from {self.low:g} to "
                f"{self.high:g}."
            ) from error
        self.check(value)
        return value

    def format(self, value: float) -> str:
        """Write the number, to four digits or to the unit."""
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"

    def describe(self) -> str:
        """Write the range."""
        return f"a number from {self.low:g} to {self.high:g}"

    def to_dict(self) -> dict[str, Any]:
        """Return the label as plain JSON values."""
        return {"kind": "number", "name": self.name, "quantiles": list(self.quantiles)}


def check_texts(values: tuple[Any, ...]) -> None:
    """Raise ConfigError unless all are texts: a damaged checkpoint may hold anything."""
    for value in values:
        if not isinstance(value, str):
            raise ConfigError(f"A label is called {value!r}, or has such a value: expected a text.")
