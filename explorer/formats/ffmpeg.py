"""Frames -> a file, encoded by FFmpeg's libraries (PyAV) as the frames come."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from explorer.formats.base import NO_FRAMES
from training.errors import ConfigError

NUM_ENCODER_THREADS = 4  # whatever the machine has: with another number x264 writes other bytes
BT709, LIMITED_RANGE = 1, 1  # of ITU-T H.273: matrix, primaries and transfer; 16 to 235


@dataclass(frozen=True)
class Encoding:
    """Choose a container, a codec, its pixels and the options of both, by FFmpeg's names.

    With ``is_bt709`` colours are converted by that standard and the file says so.
    """

    container: str
    codec: str
    pixels: str
    codec_options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    is_bt709: bool = False


class Output:
    """Stand between FFmpeg and a file, and keep the file's first error until someone asks for it.

    FFmpeg would make errors of its own of it, the more of them the more it goes on to write; behind
    the first error it is told that all is well.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: OSError | None = None
        name = getattr(file, "name", None)
        # FFmpeg reads an MP4 again under its name, which without this may look like an address.
        self.name = f"file:{Path(name).absolute()}" if isinstance(name, str) else ""

    def __enter__(self) -> None:
        """Begin; leaving raises what `check` does."""

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raise the error that writing met, if any."""
        if self._error is not None:
            raise self._error

    def write(self, data: bytes) -> int:
        """Write as a file does."""
        if self._error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._error = error
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Seek as a file does."""
        try:
            return self._file.seek(offset, whence)
        except OSError as error:  # it writes what it still has in memory
            self._error = self._error or error
            return offset

    def tell(self) -> int:
        """Tell as a file does."""
        return self._file.tell()


def encode_frames(
    file: IO[bytes],
    frames: Iterable[np.ndarray],
    encoding: Encoding,
    count_ticks: Callable[[int], int],
    ticks_per_second: float,
    comment: str = "",
) -> Generator[int, None, list[int]]:
    """Write frames, uint8 (H, W, C) with C 1 or 3, yielding how many are encoded so far.

    What cannot be written to ``file`` is the error of the file itself, such as a full disk. The
    frame of an index is shown for ``count_ticks(index)`` ticks; returns those of all frames. Raises
    ConfigError if there is no frame.
    """
    coming = iter(frames)
    first = next(coming, None)
    if first is None:
        raise ConfigError(NO_FRAMES)
    tick = 1 / Fraction(ticks_per_second).limit_denominator(1000)
    output = Output(file)
    options = encoding.container_options
    with output, av.open(output, "w", encoding.container, options=options) as container:
        if comment:
            container.metadata["comment"] = comment
        stream = _add_stream(container, encoding, first.shape, tick)
        durations: list[int] = []
        place = 0
        for index, frame in enumerate(chain([first], coming)):
            picture = _wrap(frame, encoding)
            picture.pts, picture.time_base = place, tick
            durations.append(count_ticks(index))
            picture.duration = durations[-1]
            place += durations[-1]
            container.mux(stream.encode(picture))
            output.check()
            yield index + 1
        container.mux(stream.encode(None))
    return durations


def _add_stream(
    container: OutputContainer, encoding: Encoding, shape: tuple[int, ...], tick: Fraction
) -> VideoStream:
    stream = container.add_stream(encoding.codec, options=encoding.codec_options)
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = encoding.pixels
    stream.time_base = tick
    context = stream.codec_context
    context.time_base, context.framerate = tick, 1 / tick
    context.thread_count = NUM_ENCODER_THREADS
    if encoding.is_bt709:
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
    return stream


def _wrap(frame: np.ndarray, encoding: Encoding) -> VideoFrame:
    """Return a frame as FFmpeg takes it, in the encoding's pixels."""
    colours = frame.repeat(3, axis=-1) if frame.shape[-1] == 1 else frame
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(colours), format="rgb24")
    colorspace = "ITU709" if encoding.is_bt709 else None
    return picture.reformat(format=encoding.pixels, dst_colorspace=colorspace)
