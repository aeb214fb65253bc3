"""The recipe inside saved samples, sheets and morphs: all that makes them again, exactly."""

import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_origin

from PIL import Image

from explorer import __version__
from explorer.formats import read_text
from explorer.latents import MAX_SEEDS, check_truncation
from explorer.paces import check_pace
from explorer.paths import check_method, check_num_frames
from training.errors import ConfigError, ProjectError
from training.latents import check_seed

KINDS = ("sample", "grid", "interpolation", "frame")
RESIZE_METHODS = ("lanczos", "nearest")
MIN_SIZE, MAX_SIZE = 16, 1024
MAX_FPS = 50
MAX_HOLD = 10.0  # seconds
DEFAULT_HOLD = 0.3  # what the page and the commands begin with; recipes of old have none
MAX_STOPS = 64  # of a morph


class RecipeError(ProjectError):
    """Report a file without a readable recipe, or a recipe that cannot be followed here."""


@dataclass(frozen=True)
class Recipe:
    """Describe an image or animation completely; invalid values raise ConfigError.

    ``kind`` is "sample" (one seed, one image), "grid" (any number of seeds, ``columns`` wide),
    "interpolation" (from the first of two or more seeds through all to the last, at a ``pace`` of
    PACES) or "frame" (the one image of such a way at ``t``, from 0 to 1 along it).
    ``checkpoint`` is the hash of the checkpoint's weights. ``size`` is the edge of each image in
    pixels, 0 for the model's own. ``labels`` has a row of values per seed, or is empty: then a
    model with labels draws them by seed, and a morph keeps those of its first. ``method``,
    ``num_frames`` (first to last seed inclusive), ``fps``, ``is_ping_pong``, ``is_closed`` (the
    last stop is the first again, and is not shown twice) and ``hold`` (seconds that each stop is
    shown at least) matter for interpolations only.
    """

    kind: str
    model: str
    checkpoint: str
    seeds: tuple[int, ...]
    truncation: float = 1.0
    labels: tuple[tuple[float, ...], ...] = ()
    method: str = "slerp"
    num_frames: int = 60
    fps: float = 30.0
    is_ping_pong: bool = False
    is_closed: bool = False
    pace: str = "even"
    t: float = 0.0
    hold: float = 0.0
    columns: int = 8
    size: int = 0
    resize: str = "lanczos"
    app_version: str = __version__

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"Unknown kind {self.kind!r}: expected one of {', '.join(KINDS)}.")
        self._check_seeds()
        check_truncation(self.truncation)
        check_method(self.method)
        check_num_frames(self.num_frames)
        check_pace(self.pace)
        if not 0 <= self.t <= 1:
            raise ConfigError(
                f"Position {self.t} is out of range: choose 0 (first image) to 1 (last)."
            )
        if self.kind == "interpolation" and self.num_frames < len(self.seeds):
            raise ConfigError(
                f"{self.num_frames} frames are fewer than the {len(self.seeds)} images that the "
                f"way goes through: choose at least {len(self.seeds)}."
            )
        check_fps(self.fps)
        check_hold(self.hold)
        if self.columns < 1:
            raise ConfigError(f"{self.columns} columns are out of range: choose at least 1.")
        if self.size and not MIN_SIZE <= self.size <= MAX_SIZE:
            raise ConfigError(
                f"Size {self.size} is out of range: choose {MIN_SIZE} to {MAX_SIZE} pixels, or 0 "
                "for the model's own."
            )
        if self.resize not in RESIZE_METHODS:
            raise ConfigError(
                f"Unknown resize method {self.resize!r}: choose one of {', '.join(RESIZE_METHODS)}."
            )

    def _check_seeds(self) -> None:
        low, high = {
            "sample": (1, 1),
            "grid": (1, MAX_SEEDS),
            "interpolation": (2, MAX_STOPS),
            "frame": (2, MAX_STOPS),
        }[self.kind]
        if not low <= len(self.seeds) <= high:
            expected = str(low) if low == high else f"{low} to {high}"
            raise ConfigError(
                f"Seeds for a recipe of kind {self.kind}: found {len(self.seeds)}, expected "
                f"{expected}."
            )
        for seed in self.seeds:
            check_seed(seed)
        if self.is_closed and not is_closed_way(self.seeds, self.labels):
            raise ConfigError(
                "A closed way has to end with the seed and labels that it begins with."
            )
        if self.labels and len(self.labels) != len(self.seeds):
            raise ConfigError(
                f"{len(self.seeds)} seeds need as many labels or none, found {len(self.labels)}."
            )

    def to_json(self) -> str:
        """Return the recipe as one line of ASCII JSON."""
        return json.dumps(asdict(self))

    @property
    def is_way(self) -> bool:
        """Return whether the seeds are the stops of a way."""
        return self.kind in ("interpolation", "frame")

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read the text of `to_json`, checking every value; raises RecipeError."""
        try:
            values = json.loads(text)
            if not isinstance(values, dict):
                raise ConfigError("expected a JSON object.")
            return cls(**_check_types(values))
        except (ValueError, TypeError, RecursionError, ConfigError) as error:
            raise RecipeError(
                f"The recipe is damaged or from another version of this program: {error}"
            ) from error


def is_closed_way(seeds: Sequence[int], labels: Sequence[Sequence[float]] = ()) -> bool:
    """Return whether a morph ends with the seed and labels of its first stop, after others."""
    ends_alike = seeds[0] == seeds[-1] and (not labels or labels[0] == labels[-1])
    return len(seeds) > 2 and ends_alike


def check_fps(fps: float) -> float:
    """Return the frame rate if it is in [1, 50], else raise ConfigError."""
    if not 1 <= fps <= MAX_FPS:
        raise ConfigError(
            f"{fps} frames per second are out of range: choose 1 to {MAX_FPS} (a GIF can "
            "have no more)."
        )
    return float(fps)


def check_hold(hold: float) -> float:
    """Return the seconds that each stop is shown if they are in [0, 10], else raise ConfigError."""
    if not 0 <= hold <= MAX_HOLD:
        raise ConfigError(f"A hold of {hold} seconds is out of range: choose 0 to {MAX_HOLD:g}.")
    return float(hold)


def read_recipe(path: Path) -> Recipe:
    """Read the recipe out of an image or animation of this program; raises RecipeError."""
    try:
        with warnings.catch_warnings():
            # No pixel is decoded here, and our own grids may be larger than what Pillow warns of.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            text = read_text(path)
    except FileNotFoundError as error:
        raise RecipeError(f"There is no file {path}: check the path.") from error
    except (IsADirectoryError, PermissionError) as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}.") from error
    # Damaged files are reported with all of these.
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise RecipeError(
            f"{Path(path).name} is damaged and cannot be read: choose another copy of it."
        ) from error
    if text is None:
        raise RecipeError(
            f"{Path(path).name} holds no recipe: it was not saved by this program, or another one "
            "(an editor, a messenger) saved it again without it. Choose the original file."
        )
    return Recipe.from_json(text)


def _check_types(values: dict[str, Any]) -> dict[str, Any]:
    """Return JSON values as the types of Recipe's fields; raises ConfigError."""
    checkers = {field.name: field.type for field in fields(Recipe)}
    unknown = sorted(set(values) - set(checkers))
    if unknown:
        raise ConfigError(f"unknown entries {', '.join(unknown)}.")
    return {name: _check_type(name, value, checkers[name]) for name, value in values.items()}


def _check_type(name: str, value: Any, expected: Any) -> Any:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if get_origin(expected) is tuple and isinstance(value, list):
        kind, _ = get_args(expected)
        return tuple(_check_type(name, item, kind) for item in value)
    is_finite = is_integer and abs(value) <= sys.float_info.max
    if expected is float and (is_finite or isinstance(value, float)):
        return float(value)
    if (expected is int and is_integer) or (expected in (str, bool) and type(value) is expected):
        return value
    raise ConfigError(f"{name} is {value!r}, which is of the wrong type.")
