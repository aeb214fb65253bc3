"""Avatars: the same everywhere, with the labels that the library resolves."""

import numpy as np
import pytest
from dicebear import Avatar, Style

from training.datasets import load_dataset
from training.datasets.avatars import (
    AvatarDecoder,
    build_label_columns,
    choose_background,
    list_styles,
    load_definition,
)
from training.datasets.pool import decode_chunks
from training.errors import DatasetError

TEXT_STYLES = {"initials", "initial-face"}
FACES = ("adventurer", "avataaars", "big-smile", "lorelei", "micah", "open-peeps", "personas")


def test_every_label_is_what_the_library_resolves(make_options):
    dataset = load_dataset("avatars", make_options(max_images=40), progress=False)
    names = [column.name for column in dataset.label_columns]
    assert names == [
        *("beard", "clothes", "eyebrows", "eyes", "hair", "mouth", "rear_hair"),
        *("clothes_color", "hair_color", "skin_color"),
    ]
    style = Style(load_definition("toon-head"))
    assert dataset.labels is not None
    for seed, row in enumerate(dataset.labels):
        options = Avatar(style, {"seed": str(seed)}).to_json()["options"]
        expected = [options.get(f"{name}Variant", "none") for name in names[:6]]
        expected.append(options.get("rearHairVariant", "none"))
        expected += [options[f"{name}Color"][0] for name in ("clothes", "hair", "skin")]
        columns = zip(dataset.label_columns, row, strict=True)
        assert [column.values[label] for column, label in columns] == expected


def test_columns_come_from_the_style_and_not_from_the_drawn_ones(make_options):
    few = load_dataset("avatars", make_options(max_images=2), progress=False)
    values = {column.name: column.values for column in few.label_columns}
    assert values["hair"] == ("bun", "sideComed", "spiky", "undercut")
    assert values["beard"][-1] == "none"
    assert len(values["skin_color"]) == 5
    many = load_dataset("avatars", make_options(max_images=9), progress=False)
    assert many.label_columns == few.label_columns
    assert np.array_equal(many.images[:2], few.images)
    assert many.labels is not None
    assert few.labels is not None
    assert np.array_equal(many.labels[:2], few.labels)


def test_avatars_are_the_same_in_one_and_two_processes(make_options, tmp_path):
    decoder = AvatarDecoder("toon-head", num_items=140, resolution=8, channels=3)
    alone = list(decode_chunks(decoder, num_workers=1))
    spread = list(decode_chunks(decoder, num_workers=2))
    assert len(alone) == 2
    for a, b in zip(alone, spread, strict=True):
        assert np.array_equal(a.images, b.images)
        assert (a.indices, a.labels) == (b.indices, b.labels)
    options = make_options(max_images=140, cache_dir=tmp_path / "other")
    loaded = load_dataset("avatars", options, progress=False)
    assert np.array_equal(loaded.images, np.concatenate([chunk.images for chunk in alone]))


def test_cached_avatars_keep_their_labels(make_options):
    options = make_options(max_images=5)
    first = load_dataset("avatars:clay", options, progress=False)
    again = load_dataset("avatars:clay", options, progress=False)
    assert again.describe() == first.describe()
    assert again.label_columns == first.label_columns
    assert first.labels is not None
    assert again.labels is not None
    assert np.array_equal(again.labels, first.labels)


def test_whole_head_is_in_the_frame_on_a_soft_ground(make_options):
    dataset = load_dataset("avatars", make_options(resolution=64, max_images=60), progress=False)
    for seed, image in enumerate(dataset.images):
        ground = choose_background(seed)
        is_drawn = (image != np.array(ground)[:, None, None]).any(axis=0)  # (64, 64)
        assert not is_drawn[:48, :4].any()
        assert not is_drawn[:48, -4:].any()
        assert is_drawn[16:48, 24:40].all()  # the face
        assert not is_drawn[0, :24].any()
        assert not is_drawn[0, 40:].any()


def test_grounds_are_mid_tones_and_differ():
    grounds = [choose_background(seed) for seed in range(500)]
    assert len(set(grounds)) > 400
    assert min(map(min, grounds)) >= round(255 * 0.60 * 0.68)
    assert max(map(max, grounds)) <= round(255 * 0.78)


def test_ground_replaces_a_palette_of_one(make_options):
    # lorelei-neutral knows only white behind its faces.
    dataset = load_dataset("avatars:lorelei-neutral", make_options(max_images=3), progress=False)
    corners = [tuple(image[:, 0, 0].tolist()) for image in dataset.images]
    assert corners == [choose_background(seed) for seed in range(3)]


@pytest.mark.parametrize("style", [*FACES, "pixel-art", "shapes", "thumbs"])
def test_styles_draw(style):
    chunk = AvatarDecoder(style, num_items=3, resolution=32, channels=3).decode(range(3))
    assert chunk.images.shape == (3, 3, 32, 32)
    assert len({image.tobytes() for image in chunk.images}) == 3
    assert (chunk.images.reshape(3, -1).std(axis=1) > 1).all()


@pytest.mark.parametrize("style", sorted(set(list_styles()) - TEXT_STYLES))
def test_every_style_has_distinct_labels(style):
    columns = build_label_columns(style, ())
    names = [column.name for column in columns]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() for name in names)
    assert all(len(set(column.values)) == len(column.values) > 0 for column in columns)


@pytest.mark.parametrize("style", sorted(TEXT_STYLES))
def test_styles_of_letters_are_refused(make_options, style):
    with pytest.raises(DatasetError, match="writes letters"):
        load_dataset(f"avatars:{style}", make_options(), progress=False)


def test_grey_avatars_have_one_channel(make_options):
    colour = load_dataset("avatars", make_options(max_images=3), progress=False)
    grey = load_dataset("avatars", make_options(max_images=3, channels=1), progress=False)
    assert grey.images.shape == (3, 1, 8, 8)
    luma = np.tensordot(colour.images.astype(float), [0.299, 0.587, 0.114], axes=(1, 0))
    assert np.abs(grey.images[:, 0] - luma).max() <= 1


def test_licence_is_that_of_the_style(make_options):
    options = make_options(max_images=1)
    assert load_dataset("avatars", options, progress=False).terms == (
        'CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/), "ToonHead" by Johan Melin'
    )
    assert load_dataset("avatars:lorelei", options, progress=False).terms.startswith("CC0 1.0")


def test_unknown_style_names_the_closest(make_options):
    with pytest.raises(DatasetError, match=r"'lorelli'\. Did you mean lorelei,"):
        load_dataset("avatars:lorelli", make_options(), progress=False)
    with pytest.raises(DatasetError, match="All styles: adventurer,"):
        load_dataset("avatars:../secret", make_options(), progress=False)


def test_crop_is_refused(make_options):
    with pytest.raises(DatasetError, match="leave out --crop"):
        load_dataset("avatars", make_options(crop=(0, 0, 4, 4)), progress=False)
