"""Draw vector avatars: the data set that needs no download, with known labels.

DiceBear styles turn a seed into a picture; the options a seed resolves to are its labels.
"""

import colorsys
import difflib
import hashlib
import importlib.metadata
import io
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.datasets.cache import encode_labels, has_cache, hash_text, load_or_decode
from training.datasets.decode import convert_mode, to_array
from training.datasets.pool import Chunk
from training.datasets.types import DatasetOptions, ImageDataset, LabelColumn
from training.errors import DatasetError

DEFAULT_STYLE = "toon-head"
DEFAULT_NUM_IMAGES = 20_000
NONE = "none"


@dataclass(frozen=True)
class AvatarDecoder:
    """Draw the avatars of the seeds "0", "1", ... of one style."""

    style: str
    num_items: int
    resolution: int
    channels: int

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Return (C, H, W)."""
        return self.channels, self.resolution, self.resolution

    def decode(self, indices: range) -> Chunk:
        """Draw the avatars of a range of seeds."""
        images = np.empty((len(indices), *self.image_shape), dtype=np.uint8)
        names = get_option_names(self.style)
        labels = []
        for row, seed in enumerate(indices):
            image, options = draw_avatar(self.style, seed, self.resolution)
            images[row] = to_array(convert_mode(image, self.channels))
            labels.append(tuple(read_option(options, name) for name in names))
        return Chunk(images, tuple(indices), tuple(labels))


def load_avatars(argument: str, options: DatasetOptions, progress: bool) -> ImageDataset:
    """Load the avatars of a style ("" for toon-head), drawn on first use.

    Raises DatasetError for a style that is not there.
    """
    style = argument or DEFAULT_STYLE
    definition = load_definition(style)
    if options.crop is not None:
        raise DatasetError("Avatars are drawn to size and cannot be cropped: leave out --crop.")
    decoder = AvatarDecoder(
        style, options.max_images or DEFAULT_NUM_IMAGES, options.resolution, options.channels
    )
    cached = load_or_decode(f"avatars-{style}", get_identity(style), decoder, options, progress)
    columns = build_label_columns(style, cached.labels)
    kept = [i for i, column in enumerate(columns) if len(column.values) > 1]
    labels = encode_labels(cached.labels, columns)[:, kept]
    return ImageDataset(
        name=f"avatars:{style}",
        title=f"Avatars ({style})",
        terms=get_terms(definition),
        images=cached.images,
        fingerprint=cached.fingerprint,
        labels=labels if kept else None,
        label_columns=tuple(columns[i] for i in kept),
    )


def find_avatars(options: DatasetOptions) -> str:
    """Say whether the default style is already drawn."""
    slug = f"avatars-{DEFAULT_STYLE}"
    is_cached = has_cache(slug, get_identity(DEFAULT_STYLE), options)
    return "built in, cached" if is_cached else "built in"


def draw_avatar(style: str, seed: int, resolution: int) -> tuple[Image.Image, dict[str, Any]]:
    """Draw one avatar, RGBA without transparency, and return it with the resolved options."""
    import resvg
    from dicebear import Avatar

    red, green, blue = choose_background(seed)
    options: dict[str, Any] = {"seed": str(seed), "size": resolution}
    if not _varies_background(load_definition(style)):
        options["backgroundColor"] = f"#{red:02x}{green:02x}{blue:02x}"
    avatar = Avatar(_load_style(style), options).to_json()
    tree = resvg.usvg.Tree.from_str(avatar["svg"], resvg.usvg.Options.default())
    png = resvg.render(tree, (1, 0, 0, 0, 1, 0), bg_color=(red, green, blue, 255))
    with Image.open(io.BytesIO(png)) as image:
        image.load()
    return image, avatar["options"]


def choose_background(seed: int) -> tuple[int, int, int]:
    """Choose a soft mid-tone from a seed: any hue, 12-32 % saturation, 60-78 % brightness.

    Pure white or black would drive a generator's Tanh into saturation.
    """
    hue, saturation, value = hashlib.blake2b(str(seed).encode(), digest_size=3).digest()
    red, green, blue = colorsys.hsv_to_rgb(
        hue / 256, 0.12 + 0.20 * saturation / 255, 0.60 + 0.18 * value / 255
    )
    return round(255 * red), round(255 * green), round(255 * blue)


def _varies_background(definition: dict[str, Any]) -> bool:
    """Say whether a style chooses among backgrounds of its own, which are part of its look."""
    return len(definition.get("colors", {}).get("background", {}).get("values", [])) > 1


def list_styles() -> list[str]:
    """Name the styles that are installed, sorted."""
    return sorted(path.stem for path in _get_styles_dir().glob("*.json"))


@lru_cache(maxsize=4)
def load_definition(style: str) -> dict[str, Any]:
    """Read the definition of a style; raise DatasetError with the closest names if unknown."""
    styles = list_styles()
    if style not in styles:
        close = difflib.get_close_matches(style, styles, n=3, cutoff=0.4)
        hint = f"Did you mean {', '.join(close)}? " if close else ""
        raise DatasetError(
            f"There is no avatar style {style!r}. {hint}All styles: {', '.join(styles)}."
        )
    text = (_get_styles_dir() / f"{style}.json").read_text(encoding="utf-8")
    definition: dict[str, Any] = json.loads(text)
    if _has_text(definition["canvas"]) or _has_text(definition["components"]):
        raise DatasetError(
            f"Avatar style {style!r} writes letters, which look different with the fonts of each "
            f"machine: choose another, such as {DEFAULT_STYLE}."
        )
    return definition


def _has_text(node: Any) -> bool:
    """Say whether a part of a definition draws an SVG text."""
    if isinstance(node, dict):
        is_text = node.get("type") == "element" and node.get("name") == "text"
        return is_text or any(map(_has_text, node.values()))
    return isinstance(node, list) and any(map(_has_text, node))


@lru_cache(maxsize=4)
def _load_style(style: str) -> Any:
    from dicebear import Style

    return Style(load_definition(style))


def _get_styles_dir() -> Path:
    try:
        import dicebear  # noqa: F401 - only to say clearly what is missing
        import dicebear_styles
        import resvg  # noqa: F401
    except ImportError as error:
        raise DatasetError(
            f"Avatars need the package {error.name!r}, which is not installed: "
            "run `pip install dicebear-core dicebear-styles resvg`."
        ) from error
    return Path(next(iter(dicebear_styles.__path__)))


def get_identity(style: str) -> dict[str, Any]:
    """Return what decides the pixels: the definition and the versions that draw it."""
    packages = ("dicebear-core", "resvg")
    return {
        "style": hash_text(json.dumps(load_definition(style), sort_keys=True)),
        "options": get_option_names(style),
        "versions": [importlib.metadata.version(package) for package in packages],
    }


def get_terms(definition: dict[str, Any]) -> str:
    """Return licence and author of a style from its definition."""
    meta = definition.get("meta", {})
    text = meta.get("license", {}).get("name", "licence not stated").rstrip(".")
    url = meta.get("license", {}).get("url")
    creator = meta.get("creator", {}).get("name")
    source = meta.get("source", {}).get("name")
    origin = " ".join(
        part for part in (source and f'"{source}"', creator and f"by {creator}") if part
    )
    return text + (f" ({url})" if url else "") + (f", {origin}" if origin else "")


def get_option_names(style: str) -> tuple[str, ...]:
    """Name the options of a style that can be labels, as DiceBear names them."""
    definition = load_definition(style)
    components = [f"{name}Variant" for name in definition.get("components", {})]
    # A palette of one says nothing that the component it paints does not.
    palettes = definition.get("colors", {})
    colors = [f"{name}Color" for name, color in palettes.items() if len(color["values"]) > 1]
    return tuple(components + colors)


def read_option(options: dict[str, Any], name: str) -> str:
    """Return the text of a resolved option; "none" if the avatar does not have it."""
    value = options.get(name)
    if isinstance(value, list):
        value = " ".join(value)
    return str(value) if value else NONE


def build_label_columns(style: str, texts: tuple[tuple[str, ...], ...]) -> tuple[LabelColumn, ...]:
    """Build one column for each option: the values of the definition, then others as drawn."""
    columns = []
    for position, name in enumerate(get_option_names(style)):
        defined = _get_defined_values(load_definition(style), name)
        drawn = {row[position] for row in texts}
        values = [value for value in defined if value != NONE]
        values += sorted(drawn - set(defined) - {NONE})
        if NONE in defined or NONE in drawn:
            values.append(NONE)
        columns.append(LabelColumn(_get_label_name(name), tuple(values)))
    return tuple(columns)


def _get_label_name(option: str) -> str:
    """Turn "rearHairVariant" into "rear_hair" and "hairColor" into "hair_color"."""
    name = option.removesuffix("Variant")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _get_defined_values(definition: dict[str, Any], option: str) -> list[str]:
    if option.endswith("Color"):
        values = definition["colors"][option.removesuffix("Color")]["values"]
        return list(dict.fromkeys(value.lower() for value in values))
    components = definition["components"]
    component = components[option.removesuffix("Variant")]
    component = components[component["extends"]] if "extends" in component else component
    values = list(component.get("variants", {}))
    return [*values, NONE] if component.get("probability", 100) < 100 else values
