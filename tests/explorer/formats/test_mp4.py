"""MP4 files, read again with imageio and PyAV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.animation import save_animation, write_animation
from explorer.recipe import Recipe, read_recipe
from tests.explorer.formats.reading import make_frames, read_animation
from training.errors import ConfigError

RECIPE = Recipe("interpolation", "größer", "0" * 32, (1, 2), labels=((0.5,), (-3.0,)))


def test_a_video_repeats_what_is_held(tmp_path: Path) -> None:
    frames = make_frames(4)
    save_animation(tmp_path / "a.mp4", frames, 20, held=(0, 3), hold=0.24)  # 4.8 frames
    found = read_animation(tmp_path / "a.mp4").frames.astype(int)
    errors = np.abs(found[:, None] - frames[None]).mean(axis=(2, 3, 4))  # (found, written)
    assert errors.argmin(axis=1).tolist() == [0] * 5 + [1, 2] + [3] * 5


def test_a_video_counts_the_frames_that_it_was_given(tmp_path: Path) -> None:
    writing = write_animation(tmp_path / "a.mp4", make_frames(3), 20, held=(0, 2), hold=0.2)
    assert list(writing) == [1, 2, 3]


def test_a_video_states_which_colours_it_has(tmp_path: Path) -> None:
    """Players take undeclared colours of small videos for those of old television."""
    import av

    save_animation(tmp_path / "a.mp4", make_frames(3), 20)
    with av.open(tmp_path / "a.mp4") as container:
        context = container.streams.video[0].codec_context
        frame = next(container.decode(video=0))
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (frame.colorspace, frame.color_range) == (1, 1)  # BT.709, 16 to 235
        assert (context.color_primaries, context.color_trc) == (1, 1)


@pytest.mark.parametrize("size", [(31, 32), (32, 31)])
def test_a_video_of_odd_sides_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="even number of pixels"):
        save_animation(tmp_path / "a.mp4", np.zeros((2, *size, 3), np.uint8), 20)
    assert not list(tmp_path.iterdir())


def test_a_name_that_looks_like_an_address_is_one_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_animation(Path("http:a.mp4"), make_frames(3), 20, RECIPE)
    assert read_recipe(Path("http:a.mp4")) == RECIPE
