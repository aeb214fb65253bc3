"""What a morph shows where on its way, and so how its frames are placed."""

from collections.abc import Generator
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import torch
from torch import Tensor

from explorer.paces import place_eased, place_evenly, place_steadily
from explorer.paths import Timeline, follow_path
from explorer.recipe import Recipe
from explorer.sampler import ImageMaker, Sampler

# A steady pace looks at images twice: at 16 places a leg (fewer on long ways, 128 in all, but 4 a
# leg at least), and at twice as many, spread by what the first look found. Of 60 frames the largest
# change was then 1.02 to 1.2 times the mean, where it had been 1.3 to 5.6 times at one speed in z.
PROBES_PER_LEG, MIN_PER_LEG, PROBES_IN_ALL = 16, 4, 128


@dataclass(frozen=True)
class Way:
    """Hold the latents of K stops (K, z_dim), their label vectors (K, V) if any, and the path."""

    stops: Tensor
    vectors: Tensor | None
    method: str

    def follow(self, places: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the latents (M, z_dim) and label vectors (M, V) at places (M,), 0 to K - 1.

        Labels go straight from stop to stop: numbers grow, one class fades into another.
        """
        last = len(self.stops) - 1
        latents = follow_path(self.stops, places, last, self.method)
        if self.vectors is None:
            return latents, None
        return latents, follow_path(self.vectors, places, last, "lerp")


def make_way(recipe: Recipe, sampler: Sampler) -> Way:
    """Make the latents and label vectors of a recipe's seeds.

    Labels that the recipe does not have are drawn by seed; those of a morph by its first seed.
    """
    stops = sampler.make_latents(recipe.model, recipe.seeds, recipe.truncation)
    if recipe.labels:
        vectors = sampler.encode_labels(recipe.model, recipe.labels)
        return Way(stops, vectors, recipe.method)
    seeds = recipe.seeds[:1] * len(recipe.seeds) if recipe.is_way else recipe.seeds
    return Way(stops, sampler.make_label_vectors(recipe.model, seeds), recipe.method)


def place_frames(recipe: Recipe, way: Way, make: ImageMaker) -> Generator[int, None, Timeline]:
    """Place the frames of a morph at its recipe's pace, and return their timeline.

    For "steady" images are made to compare them: yields how many so far, of `count_probes`.
    """
    if recipe.pace == "steady":
        places, changes = yield from measure_changes(way, make)
        frames = place_steadily(recipe.num_frames, places, changes)
    else:
        place = {"even": place_evenly, "eased": place_eased}[recipe.pace]
        frames = place(recipe.num_frames, len(recipe.seeds))
    return Timeline(frames, recipe.is_ping_pong, recipe.is_closed)


def count_probes(num_legs: int) -> int:
    """Return how many images `measure_changes` compares at most."""
    return 3 * _count_per_leg(num_legs) * num_legs + 1


def measure_changes(way: Way, make: ImageMaker) -> Generator[int, None, tuple[Tensor, Tensor]]:
    """Return places on a way (M,), all stops among them, and the change between each two (M - 1,).

    The change is the root mean square of the differences of the model's own pixels. Yields how many
    images were made so far.
    """
    num_legs = len(way.stops) - 1
    per_leg = _count_per_leg(num_legs)
    places = torch.arange(num_legs * per_leg + 1, dtype=torch.float64) / per_leg
    images: dict[float, np.ndarray] = {}
    yield from _look(way, make, places, images)
    spread = place_steadily(2 * per_leg * num_legs + 1, places, measure_differences(places, images))
    places = torch.cat([places, spread]).unique()
    yield from _look(way, make, places, images)
    return places, measure_differences(places, images)


def measure_differences(places: Tensor, images: dict[float, np.ndarray]) -> Tensor:
    """Return how much images differ from each of the places (M,) to the next, (M - 1,)."""
    # Sums of whole numbers are exact: no order of adding moves a frame.
    squares = [
        np.square(np.subtract(images[b], images[a], dtype=np.int32)).sum(dtype=np.int64)
        for a, b in pairwise(places.tolist())
    ]
    num_values = images[float(places[0])].size
    return (torch.tensor(squares, dtype=torch.float64) / num_values).sqrt()


def _look(
    way: Way, make: ImageMaker, places: Tensor, images: dict[float, np.ndarray]
) -> Generator[int, None, None]:
    """Add the images at those of the places that have none yet, yielding how many there are."""
    missing = [place for place in places.tolist() if place not in images]
    chunks = make(*way.follow(torch.tensor(missing, dtype=torch.float64)))
    for place, image in zip(missing, chain.from_iterable(chunks), strict=True):
        images[place] = image
        yield len(images)


def _count_per_leg(num_legs: int) -> int:
    return max(MIN_PER_LEG, min(PROBES_PER_LEG, PROBES_IN_ALL // num_legs))
