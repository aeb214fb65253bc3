"""Zips of PNGs, of ours and of others."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from explorer.animation import save_animation
from explorer.recipe import Recipe, RecipeError, read_recipe
from tests.explorer.formats.reading import make_frames

RECIPE = Recipe("interpolation", "größer", "0" * 32, (1, 2), labels=((0.5,), (-3.0,)))


def test_a_zip_has_its_recipe_as_a_text(tmp_path: Path) -> None:
    save_animation(tmp_path / "a.zip", make_frames(11), 20, RECIPE)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        names = [f"{index:04d}.png" for index in range(11)]
        assert archive.namelist() == [*names, "latent-explorer.json"]
        assert Recipe.from_json(archive.read("latent-explorer.json").decode()) == RECIPE


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_a_zip_that_would_fill_the_memory_is_refused(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", kind) as archive:
        archive.writestr("latent-explorer.json", bytes(50_000_000))
    assert (tmp_path / "a.zip").stat().st_size < 100_000
    with pytest.raises(RecipeError, match=r"a\.zip is damaged"):
        read_recipe(tmp_path / "a.zip")


def test_a_zip_that_was_packed_again_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("latent-explorer.json", RECIPE.to_json())
    assert read_recipe(tmp_path / "a.zip") == RECIPE


def test_flipped_bytes_of_a_packed_text_are_one_sentence(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("latent-explorer.json", RECIPE.to_json())
    whole = packed.getvalue()
    num_refused = 0
    for place in range(30, len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0xFF
        (tmp_path / "a.zip").write_bytes(changed)
        try:
            assert read_recipe(tmp_path / "a.zip") == RECIPE
        except RecipeError:
            num_refused += 1
    assert num_refused > len(whole) // 2
