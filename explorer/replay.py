"""From a recipe to its pixels: the one way in which images and animations are made."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from explorer.animation import resize_frames
from explorer.images import make_grid
from explorer.library import CheckpointLibrary
from explorer.morphs import make_inputs, make_stop_vectors, make_stops, make_timeline
from explorer.paths import count_path_frames
from explorer.recipe import Recipe, RecipeError
from explorer.sampler import Sampler
from explorer.weights import MAKE_AGAIN, check_weights
from training.errors import ConfigError

MAX_PIXELS = 600 * 512 * 512  # of images that are held together: 472 MB in colour


def render_recipe(recipe: Recipe, sampler: Sampler) -> np.ndarray:
    """Make the images of a recipe, uint8 (N, H, W, C).

    N is the number of frames of an interpolation, else 1. The model is taken by name; use
    `replay_recipe` for a recipe read from a file. Raises ConfigError if they would take too much
    memory.
    """
    check_pixels(count_images(recipe), get_edge(recipe, sampler))
    return arrange_images(recipe, np.concatenate(list(iter_images(recipe, sampler))))


def arrange_images(recipe: Recipe, images: np.ndarray) -> np.ndarray:
    """Lay all images of `iter_images` out as the recipe says, uint8 (N, H, W, C)."""
    return make_grid(images, recipe.columns)[None] if recipe.kind == "grid" else images


@dataclass(frozen=True)
class Frames:
    """Hold the images of a recipe on their way, in chunks (B, H, W, C), and which are stops."""

    chunks: Iterator[np.ndarray]
    stops: tuple[int, ...] = ()


def iter_images(recipe: Recipe, sampler: Sampler) -> Iterator[np.ndarray]:
    """Make a recipe's single images in chunks, (B, H, W, C), as `start_frames` does."""
    return start_frames(recipe, sampler).chunks


def start_frames(recipe: Recipe, sampler: Sampler) -> Frames:
    """Start to make a recipe's single images, resized; checks before it computes.

    Lets a caller show progress and stop between chunks; `count_images` tells how many there are.
    Raises CheckpointError unless the model has the weights that the recipe names: all chunks are of
    these, whatever becomes of the file meanwhile.
    """
    stops: tuple[int, ...] = ()
    if recipe.kind == "interpolation":
        timeline = make_timeline(recipe, sampler)
        stops = timeline.find_stops()
        latents, labels = make_inputs(recipe, sampler, timeline.list_places())
    elif recipe.kind == "frame":
        # Multiplied: a stop is then exactly there.
        place = torch.tensor([recipe.t], dtype=torch.float64) * (len(recipe.seeds) - 1)
        latents, labels = make_inputs(recipe, sampler, place)
    else:  # the frames of a morph are written as they come
        check_pixels(count_images(recipe), get_edge(recipe, sampler))
        latents, labels = make_stops(recipe, sampler), make_stop_vectors(recipe, sampler)
    chunks = sampler.iter_images(recipe.model, latents, labels)
    # After the sampler has taken its generator, which it then keeps.
    check_weights(sampler.library, recipe.model, recipe.checkpoint, MAKE_AGAIN)
    return Frames((resize_frames(chunk, recipe.size, recipe.resize) for chunk in chunks), stops)


def count_images(recipe: Recipe) -> int:
    """Return how many images `iter_images` makes: one per seed, or one per frame."""
    if recipe.kind == "interpolation":
        return count_path_frames(recipe.num_frames, recipe.is_ping_pong, recipe.is_closed)
    return 1 if recipe.kind == "frame" else len(recipe.seeds)


def replay_recipe(recipe: Recipe, sampler: Sampler) -> np.ndarray:
    """Make the images of a recipe again, bit by bit as they were written (before GIF's palette).

    The checkpoint is found by its hash, under whatever name it has now. Raises RecipeError if it
    is not in the library, naming a file of the same name with other content.
    """
    return render_recipe(locate_model(recipe, sampler.library), sampler)


def locate_model(recipe: Recipe, library: CheckpointLibrary) -> Recipe:
    """Return the recipe with the name its checkpoint has in this library; raises RecipeError."""
    names = sorted(library.names, key=lambda name: name != recipe.model)  # likeliest first
    for name in names:
        if library.get_fingerprint(name) == recipe.checkpoint:
            return replace(recipe, model=name)
    if recipe.model in names:
        found = library.get_fingerprint(recipe.model)
        raise RecipeError(
            f"The recipe was made with another version of {recipe.model}: its checkpoint had hash "
            f"{recipe.checkpoint}, the one in {library.shown} has {found}. Put the original file "
            "there."
        )
    raise RecipeError(
        f"The recipe needs model {recipe.model} (hash {recipe.checkpoint}), which is not in "
        f"{library.shown}: copy its checkpoint there."
    )


def get_edge(recipe: Recipe, sampler: Sampler) -> int:
    """Return the edge of a recipe's images in pixels."""
    return recipe.size or sampler.get_header(recipe.model).model.img_resolution


def check_pixels(count: int, size: int) -> None:
    """Raise ConfigError if that many square images of that edge would take too much memory."""
    if count * size**2 > MAX_PIXELS:
        raise ConfigError(
            f"{count} images of {size} pixels are too many at once: choose at most "
            f"{MAX_PIXELS // size**2} of this size, or make them smaller."
        )
