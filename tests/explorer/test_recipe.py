"""Recipes: written into files, read back, followed bit by bit."""

from __future__ import annotations

import json
import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer.images import make_grid, save_png
from explorer.library import CheckpointLibrary
from explorer.recipe import Recipe, RecipeError, is_closed_way, read_recipe
from explorer.replay import (
    RecipeImages,
    count_images,
    iter_images,
    render_recipe,
    replay_recipe,
    write_morph,
)
from explorer.sampler import Sampler
from tests.explorer.conftest import SaveModel
from tests.explorer.formats.reading import read_animation
from training import __version__
from training.errors import CheckpointError, ConfigError

RECIPE = Recipe("grid", "conv", "ab" * 16, (1, 2, 3), truncation=0.7)


def make_recipe(sampler: Sampler, kind: str, seeds: tuple[int, ...], **options: Any) -> Recipe:
    """Make a recipe for the model conv."""
    return Recipe(kind, "conv", sampler.library.get_fingerprint("conv"), seeds, **options)


@pytest.mark.parametrize(
    ("kind", "seeds", "options"),
    [
        ("sample", (7,), {"truncation": 0.3}),
        ("sample", (7,), {"size": 64}),
        ("grid", (1, 2, 3, 4, 5), {"columns": 2, "size": 48, "resize": "nearest"}),
        ("frame", (1, 2, 9), {"t": 0.7, "method": "lerp", "size": 40}),
    ],
)
def test_a_png_is_made_again_bit_by_bit(
    sampler: Sampler, tmp_path: Path, kind: str, seeds: tuple[int, ...], options: dict[str, Any]
) -> None:
    recipe = make_recipe(sampler, kind, seeds, **options)
    save_png(tmp_path / "a.png", render_recipe(recipe, sampler)[0], recipe)
    found = read_recipe(tmp_path / "a.png")
    assert found == recipe
    assert found.app_version == __version__
    again = replay_recipe(found, Sampler(CheckpointLibrary(sampler.library.folder)))
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), again[0])


def test_a_gif_is_made_again_bit_by_bit(sampler: Sampler, tmp_path: Path) -> None:
    recipe = make_recipe(
        sampler, "interpolation", (1, 2), num_frames=7, is_ping_pong=True, hold=0.5, size=40
    )
    frames = render_recipe(recipe, sampler)
    assert frames.shape == (12, 40, 40, 3)
    list(write_morph(tmp_path / "a.gif", RecipeImages(recipe, sampler)))
    found = read_recipe(tmp_path / "a.gif")
    assert found == recipe
    again = Sampler(CheckpointLibrary(sampler.library.folder))
    assert np.array_equal(replay_recipe(found, again), frames)
    list(write_morph(tmp_path / "b.gif", RecipeImages(found, again)))
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".apng"])
def test_a_morph_rests_at_its_stops(sampler: Sampler, tmp_path: Path, suffix: str) -> None:
    recipe = make_recipe(
        sampler, "interpolation", (1, 2, 3), num_frames=5, fps=20, is_ping_pong=True, hold=0.2
    )
    list(write_morph(tmp_path / f"a{suffix}", RecipeImages(recipe, sampler)))
    # 1 . 2 . 3 . 2 . and from the beginning.
    found = read_animation(tmp_path / f"a{suffix}").durations
    assert found == [200, 50, 200, 50, 200, 50, 200, 50]


def test_rendering_is_sampling_and_laying_out(sampler: Sampler) -> None:
    images = sampler.sample_seeds("conv", [4, 5, 6], truncation=0.5)
    recipe = make_recipe(sampler, "grid", (4, 5, 6), truncation=0.5, columns=2)
    assert np.array_equal(render_recipe(recipe, sampler)[0], make_grid(images, 2))


def test_a_morph_starts_and_ends_with_its_seeds(sampler: Sampler) -> None:
    recipe = make_recipe(sampler, "interpolation", (8, 9), num_frames=5, truncation=0.9)
    frames = render_recipe(recipe, sampler)
    ends = sampler.sample_seeds("conv", [8, 9], truncation=0.9)
    assert np.array_equal(frames[[0, -1]], ends)
    assert len({frame.tobytes() for frame in frames}) == 5


def test_a_frame_is_the_one_of_the_morph(sampler: Sampler) -> None:
    morph = make_recipe(sampler, "interpolation", (8, 9, 3), num_frames=9)
    frames = render_recipe(morph, sampler)
    for index in (0, 3, 4, 8):
        still = make_recipe(sampler, "frame", (8, 9, 3), t=index / 8)
        assert np.array_equal(render_recipe(still, sampler), frames[index : index + 1])


def test_images_come_in_chunks_that_are_counted(sampler: Sampler) -> None:
    recipe = make_recipe(sampler, "interpolation", (8, 9), num_frames=11, is_ping_pong=True)
    lengths = [len(chunk) for chunk in iter_images(recipe, sampler)]
    assert len(lengths) > 1
    assert sum(lengths) == count_images(recipe) == 20


def test_a_checkpoint_is_found_under_its_new_name(sampler: Sampler) -> None:
    recipe = make_recipe(sampler, "sample", (1,))
    expected = render_recipe(recipe, sampler)
    folder = sampler.library.folder
    (folder / "conv.safetensors").rename(folder / "renamed.safetensors")
    library = CheckpointLibrary(folder)
    assert np.array_equal(replay_recipe(recipe, Sampler(library)), expected)


def test_another_checkpoint_of_the_name_is_refused(sampler: Sampler, save_model: SaveModel) -> None:
    recipe = make_recipe(sampler, "sample", (1,))
    os.utime(save_model(sampler.library.folder, "conv", seed=1), ns=(1, 1))
    with pytest.raises(RecipeError, match=f"another version of conv.*{recipe.checkpoint}"):
        replay_recipe(recipe, sampler)


def test_images_are_of_the_weights_that_their_recipe_names(
    sampler: Sampler, save_model: SaveModel
) -> None:
    """A training may replace the file before they are made, and meanwhile."""
    recipe = make_recipe(sampler, "grid", tuple(range(60)))
    expected = render_recipe(recipe, sampler)
    coming = iter_images(recipe, sampler)
    chunks = [next(coming)]
    os.utime(save_model(sampler.library.folder, "conv", seed=1), ns=(1, 1))
    assert np.array_equal(
        make_grid(np.concatenate([*chunks, *coming]), recipe.columns), expected[0]
    )
    with pytest.raises(CheckpointError, match="conv has been written again since"):
        render_recipe(recipe, sampler)


def test_a_missing_checkpoint_is_named(sampler: Sampler) -> None:
    recipe = replace(make_recipe(sampler, "sample", (1,)), model="lost", checkpoint="00")
    with pytest.raises(RecipeError, match=r"needs model lost \(hash 00\)"):
        replay_recipe(recipe, sampler)


def test_files_without_a_recipe_are_refused(tmp_path: Path) -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    save_png(tmp_path / "a.png", image)
    Image.fromarray(image).save(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text("latent-explorer:{}", encoding="utf-8")
    for name in ("a.png", "a.jpg", "a.txt"):
        with pytest.raises(RecipeError, match=f"{name} holds no recipe"):
            read_recipe(tmp_path / name)
    with pytest.raises(RecipeError, match="cannot be read: Is a directory"):
        read_recipe(tmp_path)
    with pytest.raises(RecipeError, match="There is no file"):
        read_recipe(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("side", "reason"), [(10_000, "holds no recipe"), (20_000, "is damaged and cannot be read")]
)
def test_a_png_said_to_be_huge_is_not_decoded_nor_warned_of(
    tmp_path: Path, side: int, reason: str
) -> None:
    header = b"IHDR" + struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0)
    end = b"IEND"
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, b"IDAT", end)
    ]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(RecipeError, match=reason):
        read_recipe(tmp_path / "a.png")


def test_a_truncated_png_is_refused_or_read(tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", np.zeros((64, 64, 3), np.uint8), RECIPE)
    whole = (tmp_path / "a.png").read_bytes()
    for size in range(0, len(whole), 7):
        (tmp_path / "b.png").write_bytes(whole[:size])
        try:
            assert read_recipe(tmp_path / "b.png") == RECIPE
        except RecipeError as error:
            assert "b.png" in str(error)  # noqa: PT017 - either outcome is right


def test_a_way_is_closed_where_it_ends_as_it_begins() -> None:
    assert is_closed_way((1, 2, 1))
    assert not is_closed_way((1, 2, 3))
    assert not is_closed_way((1, 1))  # nothing lies between
    assert is_closed_way((1, 1, 1), ((0.0,), (1.0,), (0.0,)))
    assert not is_closed_way((1, 1, 1), ((0.0,), (1.0,), (2.0,)))
    with pytest.raises(ConfigError, match="end with the seed and labels that it begins with"):
        Recipe("interpolation", "m", "00", (1, 2, 3), is_closed=True)


def test_recipes_of_old_are_followed_as_they_were(sampler: Sampler) -> None:
    """They do not say that their way is closed, and show its first stop at the end again."""
    values = json.loads(make_recipe(sampler, "interpolation", (1, 2, 1), num_frames=5).to_json())
    del values["is_closed"], values["hold"]
    frames = render_recipe(Recipe.from_json(json.dumps(values)), sampler)
    assert len(frames) == 5
    assert np.array_equal(frames[0], frames[-1])


def test_json_holds_every_value() -> None:
    assert Recipe.from_json(RECIPE.to_json()) == RECIPE
    assert json.loads(RECIPE.to_json())["seeds"] == [1, 2, 3]
    assert RECIPE.to_json().isascii()
    named = replace(RECIPE, model="größer")
    assert Recipe.from_json(named.to_json()) == named
    assert named.to_json().isascii()


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": "1"},
        {"seeds": []},
        {"seeds": [True]},
        {"seeds": [-1]},
        {"seeds": [2**32]},
        {"seeds": list(range(5000))},
        {"truncation": 2},
        {"truncation": float("nan")},
        {"truncation": "1"},
        {"truncation": 10**400},
        {"num_frames": 10**9},
        {"t": 1.1},
        {"t": float("nan")},
        {"pace": "fast"},
        {"fps": 0},
        {"size": 100_000},
        {"size": 1.5},
        {"columns": 0},
        {"kind": "video"},
        {"resize": "bicubic"},
        {"method": "__class__"},
        {"labels": [1]},
        {"is_ping_pong": 1},
        {"model": None},
        {"command": "rm"},
    ],
)
def test_damaged_recipes_are_refused(change: dict[str, Any]) -> None:
    text = json.dumps(json.loads(RECIPE.to_json()) | change)
    with pytest.raises(RecipeError, match="recipe is damaged"):
        Recipe.from_json(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "[" * 100_000])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="recipe is damaged"):
        Recipe.from_json(text)


@pytest.mark.parametrize(
    ("kind", "seeds", "labels", "reason"),
    [
        ("sample", (1, 2), (), "sample: found 2, expected 1"),
        ("interpolation", (1,), (), "interpolation: found 1, expected 2"),
        ("grid", (1, 2), ((0.0,),), "found 1"),
    ],
)
def test_the_number_of_seeds_fits_the_kind(
    kind: str, seeds: tuple[int, ...], labels: tuple[tuple[float, ...], ...], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        Recipe(kind, "conv", "", seeds, labels=labels)


def test_too_many_pixels_at_once_are_refused_before_work(sampler: Sampler) -> None:
    """What is held as a whole is limited: a sheet, and all frames of a morph together."""
    sentence = r"600 images of 1024 pixels are too many.*at most 150 "
    sheet = make_recipe(sampler, "grid", tuple(range(600)), size=1024)
    morph = make_recipe(sampler, "interpolation", (1, 2), num_frames=600, size=1024)
    for render, recipe in ((iter_images, sheet), (render_recipe, sheet), (render_recipe, morph)):
        with pytest.raises(ConfigError, match=sentence):
            render(recipe, sampler)


def test_frames_that_are_written_as_they_come_may_be_as_many_as_a_morph_has(
    sampler: Sampler,
) -> None:
    """600 frames of 512 pixels there and back are 1,198, of which a chunk is held at a time."""
    recipe = make_recipe(
        sampler, "interpolation", (1, 2), num_frames=600, size=512, is_ping_pong=True
    )
    assert count_images(recipe) == 1198
    chunk = next(iter_images(recipe, sampler))
    assert chunk.shape == (4, 512, 512, 3)
