"""Morphs at a steady pace, made by real generators."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.library import CheckpointLibrary
from explorer.morphs import count_probes, make_way, measure_changes
from explorer.recipe import Recipe
from explorer.replay import RecipeImages, render_recipe, replay_recipe
from explorer.sampler import Sampler
from tests.explorer.conftest import SaveModel
from tests.explorer.labelled import save_labelled_model


def make_recipe(sampler: Sampler, pace: str, seeds: tuple[int, ...] = (4, 9, 2)) -> Recipe:
    """Make the recipe of a morph of 25 frames."""
    checkpoint = sampler.library.get_fingerprint("conv")
    return Recipe("interpolation", "conv", checkpoint, seeds, num_frames=25, pace=pace)


def measure_steps(frames: np.ndarray) -> np.ndarray:
    """Return how much each frame differs from the next, (T - 1,)."""
    return np.sqrt(np.square(np.diff(frames.astype(float), axis=0)).mean(axis=(1, 2, 3)))


def test_a_steady_morph_changes_as_much_from_each_frame_to_the_next(sampler: Sampler) -> None:
    even, steady = (
        measure_steps(render_recipe(make_recipe(sampler, pace), sampler))
        for pace in ("even", "steady")
    )
    assert steady.std() / steady.mean() < 0.3 * even.std() / even.mean()
    assert steady.max() < 1.15 * steady.mean()


@pytest.mark.parametrize("pace", ["even", "eased", "steady"])
def test_stops_are_frames_bit_by_bit_at_every_pace(sampler: Sampler, pace: str) -> None:
    recipe = make_recipe(sampler, pace)
    images = RecipeImages(recipe, sampler)
    frames = np.concatenate(list(images.iter_chunks()))
    assert len(frames) == 25
    stops = images.find_stops()
    assert (stops[0], stops[-1]) == (0, 24)
    assert np.array_equal(frames[list(stops)], sampler.sample_seeds("conv", [4, 9, 2]))


def test_a_steady_morph_is_made_again_bit_by_bit(sampler: Sampler) -> None:
    recipe = make_recipe(sampler, "steady")
    frames = render_recipe(recipe, sampler)
    again = Sampler(CheckpointLibrary(sampler.library.folder))
    assert np.array_equal(replay_recipe(Recipe.from_json(recipe.to_json()), again), frames)


def measure(sampler: Sampler, recipe: Recipe) -> tuple[list[int], torch.Tensor, torch.Tensor]:
    """Return what `measure_changes` yields on its way, the places, and the changes."""
    make = sampler.take_generator(recipe.model)
    measuring, counts = measure_changes(make_way(recipe, sampler), make), []
    while True:
        try:
            counts.append(next(measuring))
        except StopIteration as stop:
            return counts, *stop.value


def test_probes_hold_all_stops_and_are_counted(sampler: Sampler) -> None:
    counts, places, changes = measure(sampler, make_recipe(sampler, "steady"))
    assert {0.0, 1.0, 2.0} <= set(places.tolist())
    assert (places.diff() > 0).all()
    assert len(changes) == len(places) - 1
    assert counts == list(range(1, len(places) + 1))  # each image is made once
    assert 64 < len(places) <= count_probes(2) == 97  # 33, and 65 of which some are the same


def test_changes_are_root_mean_squares(sampler: Sampler) -> None:
    recipe = make_recipe(sampler, "steady")
    _, places, changes = measure(sampler, recipe)
    latents, _ = make_way(recipe, sampler).follow(places)
    images = sampler.sample_images("conv", latents)
    np.testing.assert_allclose(changes.numpy(), measure_steps(images), rtol=1e-12)


def test_many_stops_are_probed_less_often(sampler: Sampler) -> None:
    recipe = make_recipe(sampler, "steady", tuple(range(20)))
    assert len(measure(sampler, recipe)[1]) <= count_probes(19) == 3 * 19 * 6 + 1


def test_placing_tells_how_far_it_is_and_can_be_left(sampler: Sampler) -> None:
    images = RecipeImages(make_recipe(sampler, "steady"), sampler)
    placing = images.place()
    assert [next(placing), next(placing)] == [(1, 97), (2, 97)]
    placing.close()  # type: ignore[attr-defined]
    frames = np.concatenate(list(images.iter_chunks()))  # placed after all
    assert np.array_equal(frames, render_recipe(images.recipe, sampler))
    assert list(RecipeImages(make_recipe(sampler, "eased"), sampler).place()) == []


def test_a_file_that_is_replaced_meanwhile_changes_nothing(
    sampler: Sampler, save_model: SaveModel
) -> None:
    recipe = make_recipe(sampler, "steady")
    expected = render_recipe(recipe, sampler)
    images = RecipeImages(recipe, sampler)
    os.utime(save_model(sampler.library.folder, "conv", seed=1), ns=(1, 1))
    assert np.array_equal(np.concatenate(list(images.iter_chunks())), expected)


def test_labels_are_part_of_what_changes(tmp_path: Path) -> None:
    """A sweep stays at one latent: without its labels nothing would change."""
    save_labelled_model(tmp_path)
    sampler = Sampler(CheckpointLibrary(tmp_path))
    recipe = Recipe(
        "interpolation", "faces", sampler.library.get_fingerprint("faces"), (3, 3), num_frames=9,
        labels=((0.0, 20.0), (1.0, 80.0)), pace="steady",
    )  # fmt: skip
    assert measure(sampler, recipe)[2].sum() > 0
    steady, even = (
        measure_steps(render_recipe(replace(recipe, pace=pace), sampler))
        for pace in ("steady", "even")
    )
    assert steady.std() / steady.mean() < even.std() / even.mean()
