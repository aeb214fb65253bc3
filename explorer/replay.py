"""From a recipe to its pixels: the one way in which images and animations are made."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from explorer.animation import resize_frames, write_animation
from explorer.images import make_grid
from explorer.library import CheckpointLibrary
from explorer.morphs import count_probes, make_way, place_frames
from explorer.paths import Timeline, count_path_frames
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


class RecipeImages:
    """Make a recipe's single images, resized, by the generator that there is at the beginning.

    Checks before it computes. Raises CheckpointError unless the model has the weights that the
    recipe names: all images are of these, whatever becomes of the file meanwhile.
    """

    def __init__(self, recipe: Recipe, sampler: Sampler) -> None:
        if recipe.kind != "interpolation":  # whose frames are written as they come
            check_pixels(count_images(recipe), get_edge(recipe, sampler))
        self.recipe = recipe
        self._way = make_way(recipe, sampler)
        self._make = sampler.take_generator(recipe.model)
        self._timeline: Timeline | None = None
        check_weights(sampler.library, recipe.model, recipe.checkpoint, MAKE_AGAIN)

    def place(self) -> Iterator[tuple[int, int]]:
        """Place the frames of a morph, yielding how many images of how many were compared for it.

        Only a steady pace needs any. What is left to place is placed by whoever asks for more.
        """
        total = count_probes(len(self.recipe.seeds) - 1) if self.recipe.is_way else 0
        for num_compared in self._place():
            yield num_compared, total

    def find_stops(self) -> tuple[int, ...]:
        """Return which images of a morph show its stops."""
        return self._get_timeline().find_stops()

    def iter_chunks(self) -> Iterator[np.ndarray]:
        """Make the images in chunks (B, H, W, C); `count_images` tells how many there are."""
        if self.recipe.kind == "interpolation":
            inputs = self._way.follow(self._get_timeline().list_places())
        elif self.recipe.kind == "frame":
            # Multiplied: a stop is then exactly there.
            place = torch.tensor([self.recipe.t], dtype=torch.float64)
            inputs = self._way.follow(place * (len(self.recipe.seeds) - 1))
        else:
            inputs = self._way.stops, self._way.vectors
        chunks = self._make(*inputs)
        return (resize_frames(chunk, self.recipe.size, self.recipe.resize) for chunk in chunks)

    def _get_timeline(self) -> Timeline:
        if self._timeline is None:
            for _ in self._place():
                pass
        assert self._timeline is not None
        return self._timeline

    def _place(self) -> Iterator[int]:
        if self.recipe.kind == "interpolation" and self._timeline is None:
            self._timeline = yield from place_frames(self.recipe, self._way, self._make)


def write_morph(path: Path, images: RecipeImages) -> Generator[int, None, None]:
    """Write a morph as its frames come, as `write_animation` does, resting at its stops."""
    frames = chain.from_iterable(images.iter_chunks())
    recipe, stops = images.recipe, images.find_stops()
    return write_animation(path, frames, recipe.fps, recipe, stops, recipe.hold)


def iter_images(recipe: Recipe, sampler: Sampler) -> Iterator[np.ndarray]:
    """Make a recipe's single images in chunks (B, H, W, C), checking before it computes."""
    return RecipeImages(recipe, sampler).iter_chunks()


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
