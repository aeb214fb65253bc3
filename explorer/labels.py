"""The labels of images to make: given by name, drawn by seed, or swept through all values."""

from collections.abc import Iterator, Mapping, Sequence

from explorer.sampler import Sampler
from training.errors import ConfigError
from training.labels import LabelLayout

Rows = tuple[tuple[float, ...], ...]

# Across a sheet: more make images too small to tell apart.
NUM_SHEET_STOPS = 8


def parse_values(text: str, layout: LabelLayout) -> dict[str, float]:
    """Read values from "NAME=VALUE,..."; raises ConfigError for what is unknown or not possible."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    for name, equals, _ in pairs:
        if not equals:
            raise ConfigError(f"Labels have {name.strip()!r}: write NAME=VALUE, such as age=30.")
    return layout.parse({name.strip(): value.strip() for name, _, value in pairs})


def choose_rows(
    sampler: Sampler, model: str, seeds: Sequence[int], values: Mapping[str, float]
) -> Rows:
    """Return a row per seed with the values given and the others drawn; () without labels.

    Raises ConfigError for values that a model without labels does not take.
    """
    rows = sampler.make_labels(model, seeds, values)
    return () if rows is None else tuple(map(tuple, rows.tolist()))


def list_stops(sampler: Sampler, model: str, name: str, num_stops: int) -> list[float]:
    """List the values of a label from first to last: all classes, or so many numbers.

    Raises ConfigError if the model has no such label.
    """
    layout = sampler.get_header(model).model.labels
    layout.check_name(name)
    (label,) = (label for label in layout if label.name == name)
    return label.list_stops(num_stops)


def sweep_rows(
    sampler: Sampler,
    model: str,
    seed: int,
    name: str,
    values: Mapping[str, float],
    num_stops: int = 2,
) -> Rows:
    """Return rows through all values of one label; the others are those given, or the seed's."""
    return tuple(
        row
        for stop in list_stops(sampler, model, name, num_stops)
        for row in choose_rows(sampler, model, [seed], {**values, name: stop})
    )


def cross_seeds(
    sampler: Sampler,
    model: str,
    seeds: Sequence[int],
    name: str,
    values: Mapping[str, float],
    num_stops: int = NUM_SHEET_STOPS,
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Yield (seed, row) for each seed and each value of a label: seed by seed, a sheet's rows."""
    for seed in seeds:
        for row in sweep_rows(sampler, model, seed, name, values, num_stops):
            yield seed, row
