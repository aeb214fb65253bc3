"""Animations in every format: what was written is what is read again."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.animation import resize_frames, save_animation, write_animation
from explorer.formats import FORMATS
from explorer.formats.base import NUM_THREADS, Timing
from explorer.recipe import Recipe, RecipeError, read_recipe
from tests.explorer.formats.reading import make_frames, read_animation
from training.errors import ConfigError, ProjectError

RECIPE = Recipe("interpolation", "größer", "0" * 32, (1, 2), labels=((0.5,), (-3.0,)))
EXACT = [".apng", ".zip"]
TIMED = [".gif", ".webp", ".apng"]  # each frame has its own duration

every_format = pytest.mark.parametrize("suffix", FORMATS)


@every_format
@pytest.mark.parametrize("channels", [1, 3])
def test_every_frame_is_there_in_order(tmp_path: Path, suffix: str, channels: int) -> None:
    path = tmp_path / f"a{suffix}"
    frames = make_frames(12, channels)
    assert save_animation(path, frames, fps=25) == 25
    found = read_animation(path)
    assert found.frames.shape == (12, 32, 32, 3)
    assert found.durations in ([40] * 12, [])
    # (found, written)
    errors = [[np.abs(a.astype(int) - b).mean() for b in frames] for a in found.frames]
    assert np.argmin(errors, axis=1).tolist() == list(range(12))
    assert np.diag(errors).max() < 4  # 256 colours, or a lossy codec
    if suffix in EXACT:
        assert np.diag(errors).max() == 0


@pytest.mark.parametrize("suffix", TIMED)
def test_images_loop_for_ever(tmp_path: Path, suffix: str) -> None:
    save_animation(tmp_path / f"a{suffix}", make_frames(3), fps=10)
    assert read_animation(tmp_path / f"a{suffix}").loop == 0


@pytest.mark.parametrize("suffix", [".webp", ".mp4"])
def test_colours_stay(tmp_path: Path, suffix: str) -> None:
    """Areas without detail keep theirs, whichever matrix the format codes them by."""
    colours = np.array(
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (225, 172, 150)],
        np.uint8,
    )
    frames = np.broadcast_to(colours[:, None, None], (6, 32, 32, 3))
    save_animation(tmp_path / f"a{suffix}", frames, fps=1)
    found = read_animation(tmp_path / f"a{suffix}").frames.astype(int)
    assert np.abs(found - frames).max() <= 4


@every_format
def test_the_recipe_goes_along(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    save_animation(path, make_frames(3), 20, RECIPE)
    assert read_recipe(path) == RECIPE
    assert len(read_animation(path).frames) == 3
    # What a file is does not depend on its name.
    assert read_recipe(path.rename(tmp_path / "renamed.bin")) == RECIPE


@every_format
def test_files_without_a_recipe_are_refused(tmp_path: Path, suffix: str) -> None:
    save_animation(tmp_path / f"a{suffix}", make_frames(3), 20)
    with pytest.raises(RecipeError, match=rf"a\{suffix} holds no recipe"):
        read_recipe(tmp_path / f"a{suffix}")


@every_format
def test_damaged_files_are_refused_or_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    save_animation(path, make_frames(3), 20, RECIPE)
    whole = path.read_bytes()
    for size in range(1, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:size])
        try:
            assert read_recipe(path) == RECIPE
        except RecipeError as error:
            assert path.name in str(error)  # noqa: PT017 - either outcome is right


@every_format
def test_equal_frames_in_a_row_keep_the_recipe(tmp_path: Path, suffix: str) -> None:
    """Some formats then store a still image."""
    path = tmp_path / f"a{suffix}"
    save_animation(path, make_frames(1).repeat(4, axis=0), 20, RECIPE)
    assert read_recipe(path) == RECIPE
    assert np.abs(read_animation(path).frames[0].astype(int) - make_frames(1)[0]).mean() < 4


@every_format
def test_the_same_frames_make_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for name in "ab":
        save_animation(tmp_path / f"{name}{suffix}", make_frames(9), 20, RECIPE, (0, 8), 0.2)
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize("suffix", TIMED)
@pytest.mark.parametrize(
    ("hold", "held"), [(0, 50), (0.03, 50), (0.3, 300), (0.45, 450), (10, 10_000)]
)
def test_frames_are_held_for_so_long_if_that_is_longer(
    tmp_path: Path, suffix: str, hold: float, held: int
) -> None:
    save_animation(tmp_path / f"a{suffix}", make_frames(4), 20, held=(0, 3), hold=hold)
    assert read_animation(tmp_path / f"a{suffix}").durations == [held, 50, 50, held]


@pytest.mark.parametrize(
    ("suffix", "fps", "real"),
    [
        *((".gif", fps, real) for fps, real in [(1, 1), (24, 25), (30, 100 / 3), (33, 100 / 3)]),
        *((".gif", 50, 50), (".webp", 30, 1000 / 33), (".apng", 24, 1000 / 42)),
        *((".webp", 50, 50), (".mp4", 30, 30), (".mp4", 23.976, 23.976), (".zip", 7, 7)),
    ],
)
def test_the_real_frame_rate_is_told(tmp_path: Path, suffix: str, fps: float, real: float) -> None:
    path = tmp_path / f"a{suffix}"
    assert save_animation(path, make_frames(2), fps) == pytest.approx(real)
    assert read_animation(path).durations in ([round(1000 / real)] * 2, [])


def test_ticks_are_whole_and_at_least_one() -> None:
    timing = Timing(fps=30, held=frozenset({1}), hold=0.5)
    assert [timing.count_ticks(index, 100) for index in (0, 1)] == [3, 50]
    assert [timing.count_ticks(index, 30) for index in (0, 1)] == [1, 15]
    assert Timing(fps=50).count_ticks(0, 10) == 1


@every_format
@pytest.mark.parametrize("num_steps", [1, 2, 5, 7])
def test_what_is_closed_on_the_way_leaves_the_old_file(
    tmp_path: Path, suffix: str, num_steps: int
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    writing = write_animation(path, make_frames(8 * NUM_THREADS), 25)
    for _ in range(num_steps):
        next(writing)
    assert path.read_bytes() == b"old"
    writing.close()
    assert [found.read_bytes() for found in tmp_path.iterdir()] == [b"old"]


@every_format
def test_frames_that_fail_to_come_leave_no_file(tmp_path: Path, suffix: str) -> None:
    def come() -> Iterator[np.ndarray]:
        yield from make_frames(3 * NUM_THREADS)
        raise ConfigError("no more")

    with pytest.raises(ConfigError, match="no more"):
        list(write_animation(tmp_path / f"a{suffix}", come(), 25))
    assert list(tmp_path.iterdir()) == []


@every_format
def test_frames_are_asked_for_as_they_are_written(tmp_path: Path, suffix: str) -> None:
    num_asked = 0

    def come() -> Iterator[np.ndarray]:
        nonlocal num_asked
        for frame in make_frames(5 * NUM_THREADS):
            num_asked += 1
            yield frame

    steps = [(done, num_asked) for done in write_animation(tmp_path / f"a{suffix}", come(), 25)]
    assert all(done <= asked <= done + 1 for done, asked in steps)
    assert steps[-1] == (5 * NUM_THREADS, 5 * NUM_THREADS)
    assert len(steps) >= 5


@pytest.mark.parametrize("num_bytes", [0, 1000, 20_000])
@every_format
def test_a_full_disk_is_told_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, num_bytes: int
) -> None:
    """At the first byte, on the way, or when what is held back is written at the end."""
    opened = Path.open

    def open_on_a_small_disk(path: Path, mode: str = "r", **options: Any) -> Any:
        file = opened(path, mode, **options)
        return SmallDisk(file, num_bytes) if mode == "wb" else file

    monkeypatch.setattr(Path, "open", open_on_a_small_disk)
    noise = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), np.uint8)
    with pytest.raises(ProjectError, match="No space left on the disk while writing"):
        save_animation(tmp_path / f"a{suffix}", noise, 20)
    assert list(tmp_path.iterdir()) == []


class SmallDisk(io.BufferedIOBase):
    """Stand for a file on a disk with room for so many bytes."""

    def __init__(self, file: Any, num_bytes: int) -> None:
        super().__init__()
        self.file, self.num_bytes, self.name = file, num_bytes, file.name

    def write(self, data: Any) -> int:
        if self.file.tell() + len(data) > self.num_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self.file.write(data))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self.file.seek(offset, whence))

    def tell(self) -> int:
        return int(self.file.tell())

    def close(self) -> None:
        self.file.close()
        super().close()


@every_format
def test_no_frames_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ConfigError, match="at least one frame"):
        save_animation(tmp_path / f"a{suffix}", make_frames(2)[:0], fps=10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [0, 0.5, 51, float("nan")])
def test_frame_rates_outside_are_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(ConfigError, match="1 to 50"):
        save_animation(tmp_path / "a.gif", make_frames(2), fps)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("hold", [-0.1, 10.1, float("nan")])
def test_holds_outside_are_refused(tmp_path: Path, hold: float) -> None:
    with pytest.raises(ConfigError, match="choose 0 to 10"):
        save_animation(tmp_path / "a.gif", make_frames(2), 20, held=(0,), hold=hold)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.avi", "a", "gif"])
def test_unknown_formats_are_refused_with_those_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.gif, \.webp, \.mp4, \.apng, \.zip"):
        save_animation(tmp_path / name, make_frames(2), 20)
    assert not list(tmp_path.iterdir())


def test_frames_are_resized_one_by_one() -> None:
    frames = make_frames(5)
    doubled = resize_frames(frames, 64, "nearest")
    assert np.array_equal(doubled, frames.repeat(2, axis=1).repeat(2, axis=2))
    assert resize_frames(frames, 0) is frames
    assert resize_frames(frames, 48).shape == (5, 48, 48, 3)
