"""MP4: the smallest, for messengers, slides and video editors."""

from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path

import av
import numpy as np

from explorer.formats.base import AnimationFormat, Timing, pack_text, unpack_text
from explorer.formats.ffmpeg import Encoding, encode_frames
from training.errors import ConfigError

# 4:2:0 is the only sampling that every player decodes; at this factor its loss is the larger one.
ENCODING = Encoding(
    container="mp4",
    codec="libx264",
    pixels="yuv420p",
    codec_options={"crf": "14", "preset": "medium"},
    container_options={"movflags": "+faststart"},
    is_bt709=True,
)


def write_mp4(path: Path, frames: Iterable[np.ndarray], timing: Timing, text: str) -> Iterator[int]:
    """Write frames as `Writer` says, as H.264 at a constant rate; the text is the comment.

    A frame that is held is there as often as that takes, since editors stumble over rates that
    vary. The sides must be even.
    """
    counts: list[int] = []  # how often each frame is there, of those that came so far

    def repeat_held() -> Iterator[np.ndarray]:
        for index, frame in enumerate(frames):
            check_even(*frame.shape[1::-1])
            counts.append(timing.count_ticks(index, timing.fps))
            yield from repeat(frame, counts[-1])

    num_done = 0
    with path.open("wb") as file:
        for _ in encode_frames(
            file, repeat_held(), ENCODING, lambda index: 1, timing.fps, pack_text(text)
        ):
            if num_done < len(counts):
                num_done = len(counts)
                yield num_done


def check_even(width: int, height: int) -> None:
    """Raise ConfigError unless both sides of a frame are even."""
    if height % 2 or width % 2:
        raise ConfigError(
            f"MP4 takes sides of an even number of pixels, found {width} x {height}: choose a size "
            f"of {width + width % 2}."
        )


def read_text(path: Path) -> str | None:
    """Return the text in the comment of an MP4; raises ValueError for a damaged one."""
    try:
        with path.open("rb") as file, av.open(file, format="mp4") as container:
            return unpack_text(container.metadata.get("comment", ""))
    except av.FFmpegError as error:
        raise ValueError(str(error)) from error


MP4 = AnimationFormat(
    name="MP4",
    suffix=".mp4",
    about="H.264 video, the smallest; for messengers and slides",
    media="video",
    get_ticks_per_second=lambda fps: fps,
    write=write_mp4,
    recognises=lambda head: head[4:8] == b"ftyp",
    read_text=read_text,
    check_size=check_even,
)
