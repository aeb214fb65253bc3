"""What a morph shows where on its way, and so how its frames are placed."""

import numpy as np
import torch
from torch import Tensor

from explorer.paces import place_eased, place_evenly, place_steadily
from explorer.paths import Timeline, follow_path
from explorer.recipe import Recipe
from explorer.sampler import Sampler

# Images that are compared per leg: with as many again twice, placed where the first found change,
# the largest change of 60 frames was 1.02 to 1.2 times the mean, from 1.3 to 5.6 before.
FIRST_PROBES, MIN_PROBES, MAX_PROBES = 16, 4, 128


def make_timeline(recipe: Recipe, sampler: Sampler) -> Timeline:
    """Place the frames of a morph by its recipe's pace; for "steady" images are made to compare."""
    if recipe.pace == "steady":
        places = place_steadily(recipe.num_frames, *measure_changes(recipe, sampler))
    else:
        place = {"even": place_evenly, "eased": place_eased}[recipe.pace]
        places = place(recipe.num_frames, len(recipe.seeds))
    return Timeline(places, recipe.is_ping_pong, recipe.is_closed)


def measure_changes(recipe: Recipe, sampler: Sampler) -> tuple[Tensor, Tensor]:
    """Return places on a way (M,), all stops among them, and the change between each two (M - 1,).

    The change is the root mean square of the differences of the model's own pixels.
    """
    num_legs = len(recipe.seeds) - 1
    probes = max(MIN_PROBES, min(FIRST_PROBES, MAX_PROBES // num_legs))
    places = torch.arange(num_legs * probes + 1, dtype=torch.float64) / probes
    changes = compare(recipe, sampler, places)
    finer = place_steadily(2 * probes * num_legs + 1, places, changes)
    places = torch.cat([places, finer]).unique()
    return places, compare(recipe, sampler, places)


def compare(recipe: Recipe, sampler: Sampler, places: Tensor) -> Tensor:
    """Return how much images at places (M,) on a way differ from one to the next, (M - 1,)."""
    images = sampler.sample_images(recipe.model, *make_inputs(recipe, sampler, places))
    pairs = zip(images[:-1].astype(np.float32), images[1:].astype(np.float32), strict=True)
    return torch.tensor(
        [np.sqrt(np.square(after - before).mean()) for before, after in pairs], dtype=torch.float64
    )


def make_inputs(recipe: Recipe, sampler: Sampler, places: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the latents (M, z_dim) and label vectors (M, V), if any, at places (M,) on a way."""
    stops = make_stops(recipe, sampler)
    vectors = make_stop_vectors(recipe, sampler)
    last = len(recipe.seeds) - 1
    labels = None if vectors is None else follow_path(vectors, places, last, "lerp")
    return follow_path(stops, places, last, recipe.method), labels


def make_stops(recipe: Recipe, sampler: Sampler) -> Tensor:
    """Return the latents of a recipe's seeds, (K, z_dim)."""
    return sampler.make_latents(recipe.model, recipe.seeds, recipe.truncation)


def make_stop_vectors(recipe: Recipe, sampler: Sampler) -> Tensor | None:
    """Return the label vector of each seed, (K, V), None for a model without labels.

    Labels that the recipe does not have are drawn by seed; those of a morph by its first seed.
    """
    if recipe.labels:
        return sampler.encode_labels(recipe.model, recipe.labels)
    seeds = recipe.seeds[:1] * len(recipe.seeds) if recipe.is_way else recipe.seeds
    return sampler.make_label_vectors(recipe.model, seeds)
