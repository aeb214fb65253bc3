"""The labels of images to make: given by name, drawn by seed, or swept through all values."""

import itertools
from collections.abc import Mapping, Sequence

from explorer.latents import MAX_SEEDS
from explorer.recipe import MAX_STOPS
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
    names = [name.strip() for name, _, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"Labels have {name} twice: give one value for it.")
    return layout.parse({name.strip(): value.strip() for name, _, value in pairs})


def choose_rows(
    sampler: Sampler, model: str, seeds: Sequence[int], values: Mapping[str, float]
) -> Rows:
    """Return a row per seed with the values given and the others drawn; () without labels.

    Raises ConfigError for values that a model without labels does not take.
    """
    rows = sampler.make_labels(model, seeds, values)
    return () if rows is None else tuple(map(tuple, rows.tolist()))


def choose_stops(
    sampler: Sampler,
    model: str,
    seeds: Sequence[int],
    values: Mapping[str, float],
    changes: Mapping[str, float],
    sweep: str = "",
) -> tuple[tuple[int, ...], Rows]:
    """Return the seeds and label rows that a morph goes through.

    It leads through two or more seeds with ``values`` to the last, where ``changes`` hold besides;
    a label that is drawn is the first seed's all the way. With ``sweep`` it stays at the first seed
    and goes through all values of that label. Raises ConfigError where these do not go together.
    """
    if sweep:
        if len(seeds) > 2:
            raise ConfigError(f"A sweep of {sweep} stays at one seed: give none to go through.")
        if changes:
            raise ConfigError(
                f"A sweep of {sweep} goes through all its values: give no labels to end with."
            )
        rows = sweep_rows(sampler, model, seeds[0], sweep, values)
        if len(rows) > MAX_STOPS:
            raise ConfigError(
                f"{sweep} has {len(rows)} values, and a sweep goes through {MAX_STOPS} at most."
            )
        return (seeds[0],) * len(rows), rows
    first = choose_rows(sampler, model, seeds[:1], values)
    last = choose_rows(sampler, model, seeds[:1], {**values, **changes})
    return tuple(seeds), first * (len(seeds) - 1) + last


def choose_sheet(
    sampler: Sampler,
    model: str,
    seeds: Sequence[int],
    values: Mapping[str, float],
    across: str = "",
) -> tuple[tuple[int, ...], Rows, int]:
    """Return seeds and label rows of a sheet's images, and its columns: 0 if they are free.

    With ``across`` each seed is a row, and each value of that label a column.
    """
    if not across:
        return tuple(seeds), choose_rows(sampler, model, seeds, values), 0
    columns = count_columns(sampler, model, across)
    if columns * len(seeds) > MAX_SEEDS:
        raise ConfigError(
            f"{len(seeds)} seeds by {columns} values of {across} are too many images: choose at "
            f"most {MAX_SEEDS // columns} seeds."
        )
    rows = [sweep_rows(sampler, model, seed, across, values, NUM_SHEET_STOPS) for seed in seeds]
    places = tuple(seed for seed in seeds for _ in range(columns))
    return places, tuple(itertools.chain.from_iterable(rows)), columns


def count_columns(sampler: Sampler, model: str, across: str) -> int:
    """Return how many values of a label go across a sheet; raises ConfigError without the label."""
    layout = sampler.get_header(model).model.labels
    return len(layout.find(across).list_stops(NUM_SHEET_STOPS))


def sweep_rows(
    sampler: Sampler,
    model: str,
    seed: int,
    name: str,
    values: Mapping[str, float],
    num_stops: int = 2,
) -> Rows:
    """Return rows through all classes, or so many numbers, of one label; the others stay.

    They are those given, or the seed's. Raises ConfigError if the model has no such label.
    """
    layout = sampler.get_header(model).model.labels
    stops = layout.find(name).list_stops(num_stops)
    return tuple(
        row for stop in stops for row in choose_rows(sampler, model, [seed], {**values, name: stop})
    )
