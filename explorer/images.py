"""Single images: enlarged, laid out in grids, written with their recipe."""

from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from explorer.formats.base import TEXT_KEY, to_pillow
from explorer.recipe import MAX_SIZE, MIN_SIZE, RESIZE_METHODS, Recipe
from training.errors import ConfigError
from training.files import write_atomically

GRID_GAP = 2  # pixels between the images of a grid


def make_grid(images: np.ndarray, columns: int, gap: int = GRID_GAP) -> np.ndarray:
    """Lay images out in rows, uint8 (N, H, W, C) -> (H', W', C), white between and after them.

    There are ``gap`` pixels between neighbours and none around the outside. Fewer images than
    columns make one row. Raises ConfigError if there is no image or no column.
    """
    if len(images) == 0 or columns < 1:
        raise ConfigError(
            f"A grid needs at least one image and one column, found {len(images)} and {columns}."
        )
    count, height, width, channels = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    grid = np.full(shape, 255, np.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid


def upscale(image: np.ndarray, size: int, method: str = "lanczos") -> np.ndarray:
    """Resize one square image, uint8 (H, W, C) -> (size, size, C).

    ``size`` is 16 to 1024 pixels, or 0 to keep the image as the model made it; ``method`` is
    "nearest" (shows the model's own pixels) or "lanczos" (smooth). Raises ConfigError.
    """
    if size == 0:
        return image
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ConfigError(f"Size {size} is out of range: choose {MIN_SIZE} to {MAX_SIZE} pixels.")
    if method not in RESIZE_METHODS:
        raise ConfigError(
            f"Unknown resize method {method!r}: choose one of {', '.join(RESIZE_METHODS)}."
        )
    resized = to_pillow(image).resize((size, size), Image.Resampling[method.upper()])
    return np.asarray(resized).reshape(size, size, image.shape[-1])


def save_png(path: Path, image: np.ndarray, recipe: Recipe | None = None) -> None:
    """Write an image, uint8 (H, W, C) with C 1 or 3, losslessly with its recipe in a text chunk."""
    info = PngInfo()
    if recipe is not None:
        info.add_text(TEXT_KEY, recipe.to_json())
    picture = to_pillow(image)
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG", pnginfo=info))
