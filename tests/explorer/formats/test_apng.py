"""APNG files, read again with Pillow."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from explorer.animation import save_animation
from explorer.recipe import Recipe
from tests.explorer.formats.reading import make_frames, read_animation

RECIPE = Recipe("interpolation", "größer", "0" * 32, (1, 2), labels=((0.5,), (-3.0,)))


def test_the_chunks_of_an_apng_have_their_checksums(tmp_path: Path) -> None:
    """Pillow raises for those that differ, of the last frame's delay and of the text too."""
    save_animation(tmp_path / "a.apng", make_frames(5), 20, RECIPE, held=(4,), hold=0.7)
    with Image.open(tmp_path / "a.apng") as image:
        image.verify()
    assert read_animation(tmp_path / "a.apng").durations == [50] * 4 + [700]
