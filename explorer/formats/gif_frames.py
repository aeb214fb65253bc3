"""Frames -> the bytes of a GIF, a few frames at a time."""

import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from explorer.formats.base import NO_FRAMES, NUM_THREADS, to_pillow
from training.errors import ConfigError

HEADER_BYTES, IMAGE_BYTES = 13, 10  # of the file and of each image, without their colours
EXTENSION = ord("!")
MAX_DELAY = 10 * 65_535  # ms: two bytes hold hundredths of a second


@dataclass
class Frame:
    """Hold a frame of at most 256 colours: its pixels, the image to write, its delay in ms."""

    pixels: np.ndarray
    image: Image.Image
    delay: int = 0


# A frame that is to be written, between the one before it and the one after it, if there are any.
Part = tuple[Frame | None, Frame, Frame | None]


def encode_gif(
    frames: Iterable[np.ndarray], get_delay: Callable[[int], int], options: dict[str, Any]
) -> Iterator[tuple[int, bytes]]:
    """Yield, after every few frames, how many are done and the next bytes of the GIF.

    Frames are uint8 (H, W, C) with C 1 or 3; ``get_delay`` gives the milliseconds that the frame
    of an index is shown, ``options`` are Pillow's for the head of the file. A frame that equals the
    one before becomes a longer delay of that one. The bytes are those that Pillow writes when it
    is given all frames at once, which it would hold in memory until the end. Raises ConfigError if
    there are no frames.
    """
    coming = iter(frames)
    num_done = 0
    # The frame written last (None at first), and those behind it: of the last one the delay may
    # still grow, and the first is written otherwise if no other comes.
    shown: list[Frame | None] = [None]
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        while group := list(islice(coming, NUM_THREADS)):
            for frame in pool.map(reduce_colours, group):
                frame.delay = get_delay(num_done)
                add_frame(shown, frame)
                num_done += 1
            parts = list_parts(shown)[:-1]
            yield num_done, b"".join(pool.map(lambda part: encode_frame(part, options), parts))
            del shown[: len(parts)]
    if num_done == 0:
        raise ConfigError(NO_FRAMES)
    yield num_done, b"".join(encode_frame(part, options) for part in list_parts(shown)) + b";"


def add_frame(shown: list[Frame | None], frame: Frame) -> None:
    """Add a frame behind those to be written, or its delay to that of an equal one."""
    last = shown[-1]
    if last is not None and np.array_equal(last.pixels, frame.pixels):
        last.delay += frame.delay
        if last.delay > MAX_DELAY:
            raise ConfigError(
                f"The same image would stand for more than {MAX_DELAY // 60_000} minutes, which a "
                "GIF cannot hold: choose fewer frames, more per second, or other ends."
            )
    else:
        shown.append(frame)


def list_parts(shown: list[Frame | None]) -> list[Part]:
    """List what is to be written: every frame but the first, which was written last."""
    waiting = [frame for frame in shown[1:] if frame is not None]
    return list(zip(shown, waiting, [*waiting[1:], None], strict=False))


def encode_frame(part: Part, options: dict[str, Any]) -> bytes:
    """Encode what a GIF has of one frame, the first one with the head of the file.

    Pillow stores what changes from frame to frame, so each is cut out of a GIF of two.
    """
    before, frame, after = part
    if before is not None:
        data = save_frames([before, frame], {})
        return data[find_second_image(data) : -1]
    if after is None:
        return save_frames([frame], options)[:-1]
    data = save_frames([frame, after], options)
    return data[: find_second_image(data)]


def save_frames(frames: list[Frame], options: dict[str, Any]) -> bytes:
    """Return the GIF that Pillow makes of one or two different frames."""
    buffer = io.BytesIO()
    first, *others = (frame.image.copy() for frame in frames)
    delays = [frame.delay for frame in frames]
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=delays, **options)
    return buffer.getvalue()


def find_second_image(data: bytes) -> int:
    """Return where a GIF's first image ends, by the lengths of its blocks (GIF89a, 1990)."""
    place = HEADER_BYTES + count_colour_bytes(data[10])
    while data[place] == EXTENSION:
        place = skip_blocks(data, place + 2)
    place += IMAGE_BYTES + count_colour_bytes(data[place + IMAGE_BYTES - 1])
    return skip_blocks(data, place + 1)  # behind the size of a code


def count_colour_bytes(flags: int) -> int:
    """Return the length of a colour table, 0 where the flags say that there is none."""
    return 3 << ((flags & 7) + 1) if flags & 128 else 0


def skip_blocks(data: bytes, place: int) -> int:
    """Return the place behind blocks that each begin with their length, the last with 0."""
    while data[place]:
        place += 1 + data[place]
    return place + 1


def reduce_colours(frame: np.ndarray) -> Frame:
    """Reduce a frame to 256 colours of its own; a grey one fits as it is.

    An octree palette with Floyd-Steinberg dithering. Pillow's default for GIFs, median cut
    without dithering, takes 12 times as long, bands, and turns small areas of colour (lips) into
    that of their surroundings; on at most 256 colours it is exact, so writing changes nothing.
    """
    image = to_pillow(frame)
    if frame.shape[-1] == 1:
        return Frame(frame, image)
    palette = image.quantize(256, method=Image.Quantize.FASTOCTREE)
    reduced = image.quantize(palette=palette).convert("RGB")
    return Frame(np.asarray(reduced), reduced.convert("P", palette=Image.Palette.ADAPTIVE))
