"""Morphs at a steady pace, made by real generators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.library import CheckpointLibrary
from explorer.morphs import make_timeline, measure_changes
from explorer.recipe import Recipe
from explorer.replay import render_recipe, replay_recipe, start_frames
from explorer.sampler import Sampler
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
    found = start_frames(recipe, sampler)
    frames = np.concatenate(list(found.chunks))
    assert len(frames) == 25
    assert (found.stops[0], found.stops[-1]) == (0, 24)
    assert np.array_equal(frames[list(found.stops)], sampler.sample_seeds("conv", [4, 9, 2]))


def test_a_steady_morph_is_made_again_bit_by_bit(sampler: Sampler) -> None:
    recipe = make_recipe(sampler, "steady")
    frames = render_recipe(recipe, sampler)
    again = Sampler(CheckpointLibrary(sampler.library.folder))
    assert np.array_equal(replay_recipe(Recipe.from_json(recipe.to_json()), again), frames)


def test_probes_hold_all_stops_and_are_closest_where_most_changes(sampler: Sampler) -> None:
    places, changes = measure_changes(make_recipe(sampler, "steady"), sampler)
    assert {0.0, 1.0, 2.0} <= set(places.tolist())
    assert (places.diff() > 0).all()
    assert len(changes) == len(places) - 1
    assert 64 < len(places) <= 97  # 33, and 65 of which some are the same


def test_many_stops_are_probed_less_often(sampler: Sampler) -> None:
    places, _ = measure_changes(make_recipe(sampler, "steady", tuple(range(20))), sampler)
    assert len(places) <= 19 * 6 * 3 + 2


def test_labels_are_part_of_what_changes(tmp_path: Path) -> None:
    """A sweep stays at one latent: without its labels nothing would change."""
    save_labelled_model(tmp_path)
    sampler = Sampler(CheckpointLibrary(tmp_path))
    recipe = Recipe(
        "interpolation", "faces", sampler.library.get_fingerprint("faces"), (3, 3), num_frames=9,
        labels=((0.0, 20.0), (1.0, 80.0)), pace="steady",
    )  # fmt: skip
    _, changes = measure_changes(recipe, sampler)
    assert changes.sum() > 0
    places = make_timeline(recipe, sampler).places
    assert not torch.allclose(places, torch.linspace(0, 1, 9, dtype=torch.float64))
