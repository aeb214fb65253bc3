"""WebP files, read again with Pillow."""

from __future__ import annotations

from pathlib import Path

from explorer.animation import save_animation
from explorer.formats.webp import read_chunks
from explorer.recipe import Recipe, read_recipe
from tests.explorer.formats.reading import make_frames, read_animation

RECIPE = Recipe("interpolation", "größer", "0" * 32, (1, 2), labels=((0.5,), (-3.0,)))


def test_a_webp_of_equal_frames_within_keeps_their_time(tmp_path: Path) -> None:
    a, b = make_frames(2)
    save_animation(tmp_path / "a.webp", [a, a, b, b, b, a], 20, held=(5,), hold=0.3)
    assert read_animation(tmp_path / "a.webp").durations == [100, 150, 300]


def test_a_webp_is_padded_to_even_lengths(tmp_path: Path) -> None:
    """Texts of all lengths; the file says how long it is."""
    for length in range(1, 5):
        recipe = Recipe("interpolation", "m" * length, "0" * 32, (1, 2))
        save_animation(tmp_path / "a.webp", make_frames(2), 20, recipe)
        data = (tmp_path / "a.webp").read_bytes()
        assert int.from_bytes(data[4:8], "little") == len(data) - 8
        assert [name for name, _ in read_chunks(data)] == [
            *(b"VP8X", b"ANIM", b"ANMF", b"ANMF", b"EXIF")
        ]
        assert read_recipe(tmp_path / "a.webp") == recipe
