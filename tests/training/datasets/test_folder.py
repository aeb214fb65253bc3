"""Folders and zips of images."""

import io
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.datasets import ImageDataset, load_dataset
from training.datasets.folder import DEFAULT_TERMS, FolderDecoder
from training.errors import DatasetError


@pytest.fixture
def folder(tmp_path, write_solid) -> Path:
    """Four images, two of them in folders below."""
    path = tmp_path / "pictures"
    for name, grey in (("b.png", 20), ("a/z.png", 10), ("c/d/e.bmp", 30), ("f.PNG", 40)):
        write_solid(path / name, grey)
    return path


def zip_folder(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            archive.write(file, file.relative_to(folder))
    return path


def get_greys(dataset: ImageDataset) -> list[int]:
    assert dataset.images.min(axis=(1, 2, 3)).tolist() == dataset.images[:, 0, 0, 0].tolist()
    return dataset.images.max(axis=(1, 2, 3)).tolist()


def test_nested_images_come_sorted_by_name(folder, make_options):
    dataset = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert get_greys(dataset) == [10, 20, 30, 40]
    assert dataset.images.shape == (4, 3, 8, 8)
    assert dataset.images.dtype == np.uint8
    assert dataset[2].shape == (3, 8, 8)
    assert (len(dataset), dataset.resolution, dataset.channels) == (4, 8, 3)
    assert dataset.notes == ()
    assert dataset.labels is None


def test_description_names_the_folder_and_not_where_it_lies(folder, make_options):
    plain = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert (plain.title, plain.terms) == ("pictures", DEFAULT_TERMS)
    dataset = load_dataset(
        f"folder:{folder}", make_options(title="Our faces", terms="CC0"), progress=False
    )
    assert dataset.describe() == {
        "name": "folder:pictures",
        "title": "Our faces",
        "resolution": 8,
        "num_images": 4,
        "terms": "CC0",
        "fingerprint": dataset.fingerprint,
        "label_fingerprints": {},
    }


def test_the_current_folder_has_a_name_too(folder, make_options, monkeypatch):
    monkeypatch.chdir(folder)
    dataset = load_dataset("folder:.", make_options(), progress=False)
    assert (dataset.name, dataset.title) == ("folder:pictures", "pictures")


@pytest.mark.parametrize(
    ("name", "slug"), [("faces_2.0", "faces-2"), ("faces_2.0.zip", "faces-2.0")]
)
def test_a_title_is_without_the_suffix_of_a_file_only(
    tmp_path, write_solid, make_options, name, slug
):
    """What follows the last dot of a folder's name is part of it; caches keep their names."""
    folder = tmp_path / "faces_2.0"
    write_solid(folder / "a.png", 10)
    if name.endswith(".zip"):
        zip_folder(folder).rename(tmp_path / name)
    dataset = load_dataset(f"folder:{tmp_path / name}", make_options(), progress=False)
    assert (dataset.title, dataset.name) == ("faces_2.0", f"folder:{name}")
    (pixels,) = (tmp_path / "cache" / "datasets").glob("*.npy")
    assert re.fullmatch(rf"{re.escape(slug)}-8-[0-9a-f]{{16}}\.npy", pixels.name)


def test_zip_gives_the_same_bits_as_the_folder(folder, make_options):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (31, 23, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.jpg")
    (folder / "labels.csv").write_text("file,kind\na/z.png,x\nb.png,y\n")
    from_folder = load_dataset(f"folder:{folder}", make_options(), progress=False)
    from_zip = load_dataset(f"folder:{zip_folder(folder)}", make_options(), progress=False)
    assert len(from_zip) == 5
    assert np.array_equal(from_zip.images, from_folder.images)
    assert from_zip.fingerprint == from_folder.fingerprint
    assert from_zip.label_columns == from_folder.label_columns
    assert from_zip.labels is not None
    assert from_folder.labels is not None
    assert np.array_equal(from_zip.labels, from_folder.labels)


def test_undecodable_files_are_skipped_counted_and_named(folder, make_options, capsys):
    whole = (folder / "b.png").read_bytes()
    (folder / "a.jpg").write_bytes(b"no picture")
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.webp").touch()
    (folder / "text.tga").write_bytes(b"no picture")
    unknown = "not an image of a known format"
    expected = (
        f"skipped 4 files that cannot be decoded: a.jpg ({unknown}), cut.png ({unknown}), "
        f"empty.webp ({unknown}), text.tga"
    )
    dataset = load_dataset(f"folder:{folder}", make_options())
    assert dataset.notes == (expected,)
    assert f"pictures: {expected}" in capsys.readouterr().err
    assert get_greys(dataset) == [10, 20, 30, 40]
    again = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert again.notes == (expected,)


def test_damaged_member_of_a_zip_is_skipped(folder, make_options):
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in ("b.png", "f.PNG"):
            archive.write(folder / name, name)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"IDAT", b"IDAX", 1))
    dataset = load_dataset(f"folder:{path}", make_options(), progress=False)
    assert get_greys(dataset) == [40]
    assert dataset.notes[0].startswith("skipped 1 file that cannot be decoded: b.png (")


def test_hidden_and_other_files_are_left_out(folder, make_options, write_solid):
    write_solid(folder / ".thumbnails" / "b.png", 99)
    write_solid(folder / "__MACOSX" / "b.png", 99)
    (folder / "._b.png").write_bytes(b"resource fork")
    (folder / "README.txt").write_text("pictures")
    for path in (folder, zip_folder(folder)):
        dataset = load_dataset(f"folder:{path}", make_options(), progress=False)
        assert get_greys(dataset) == [10, 20, 30, 40]
        assert dataset.notes == ("passed over 1 file, no images by their suffix: .txt (1)",)


def test_what_is_passed_over_is_counted_by_suffix(folder, make_options, capsys):
    """Photos of a format that is not read, and files without a suffix, hidden ones aside."""
    for name in ("a/1.HEIC", "2.heic", "IMG_3", ".DS_Store"):
        (folder / name).write_bytes(b"?")
    expected = "passed over 3 files, no images by their suffix: .heic (2), none (1)"
    dataset = load_dataset(f"folder:{folder}", make_options())
    assert dataset.notes == (expected,)
    assert f"pictures: {expected}" in capsys.readouterr().err


def test_links_to_files_are_followed_and_others_named(folder, make_options, tmp_path):
    (folder / "g.png").symlink_to(folder / "b.png")
    (folder / "h.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "more").symlink_to(folder / "c")
    dataset = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert get_greys(dataset) == [10, 20, 30, 40, 20]
    assert dataset.notes == ("did not follow 2 links, since only those to files are: h.png, more",)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "faces").symlink_to(folder)
    with pytest.raises(DatasetError, match=r"No image .*did not follow 1 link, .*: faces\)"):
        load_dataset(f"folder:{tmp_path / 'links'}", make_options(), progress=False)


def test_of_several_tables_of_labels_the_one_nearest_to_the_top_is_read(folder, make_options):
    for place in ("", "a/", "c/d/"):
        (folder / f"{place}labels.csv").write_text(f"file,kind\nb.png,{place}x\n")
    dataset = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert dataset.label_columns[0].values == ("x", "unknown")
    assert "took labels from labels.csv, not from a/labels.csv, c/d/labels.csv" in dataset.notes


def test_a_folder_that_cannot_be_read_is_an_error(folder, make_options, monkeypatch):
    """Its path is longer than any that may be opened; who lacks a permission is told the same."""
    with monkeypatch.context() as place:
        place.chdir(folder)
        for _ in range(20):
            Path("d" * 250).mkdir()
            place.chdir("d" * 250)
    with pytest.raises(DatasetError, match=r"d cannot be read \(File name too long\), so some"):
        load_dataset(f"folder:{folder}", make_options(), progress=False)


def test_max_images_keeps_the_first_by_name(folder, make_options):
    dataset = load_dataset(f"folder:{folder}", make_options(max_images=3), progress=False)
    assert get_greys(dataset) == [10, 20, 30]


def test_grey_images_have_one_channel(folder, make_options):
    dataset = load_dataset(f"folder:{folder}", make_options(channels=1), progress=False)
    assert dataset.images.shape == (4, 1, 8, 8)
    assert get_greys(dataset) == [10, 20, 30, 40]


def test_transparency_and_crop_reach_the_pixels(tmp_path, make_options):
    folder = tmp_path / "pictures"
    folder.mkdir()
    image = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
    image.paste((50, 60, 70, 255), (11, 1, 19, 9))
    image.save(folder / "a.png")
    options = make_options(crop=(11, 1, 19, 9))
    dataset = load_dataset(f"folder:{folder}", options, progress=False)
    assert (dataset.images[0] == np.array([50, 60, 70])[:, None, None]).all()
    uncropped = load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert uncropped.images[0, :, 0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "is not there"),
        (lambda path: path.mkdir(), "No image was found"),
        (lambda path: path.write_text("text"), "neither a folder nor a readable .zip"),
    ],
)
def test_nothing_usable_is_an_error(tmp_path, make_options, make, message):
    path = tmp_path / "pictures"
    make(path)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset(f"folder:{path}", make_options(), progress=False)
    assert str(path) in str(caught.value)


def test_cut_off_zip_is_an_error(folder, make_options):
    path = zip_folder(folder)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DatasetError, match="broke off"):
        load_dataset(f"folder:{path}", make_options(), progress=False)


def test_only_undecodable_files_is_an_error_and_leaves_no_cache(tmp_path, make_options):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"None of the 1 image files .*a\.jpg"):
        load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert list((tmp_path / "cache" / "datasets").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads a file that Linux refuses to read")
def test_what_cannot_be_read_is_an_error_and_leaves_no_cache(folder, make_options, tmp_path):
    """An input/output error may pass: the image is there again once the file can be read."""
    (folder / "b.png").unlink()
    (folder / "b.png").symlink_to("/proc/self/mem")
    with pytest.raises(DatasetError, match=r"^b\.png in .* cannot be read \(Input/output error\)"):
        load_dataset(f"folder:{folder}", make_options(), progress=False)
    assert list((tmp_path / "cache" / "datasets").iterdir()) == []


def test_a_file_that_went_away_is_an_error(folder):
    """It was listed, and is gone before it is read."""
    decoder = FolderDecoder(folder, ("b.png", "gone.png"), 8, 3, None)
    with pytest.raises(DatasetError, match=r"gone\.png in .* cannot be read"):
        decoder.decode(range(2))


def test_crop_outside_of_one_image_names_it(folder, make_options):
    Image.new("RGB", (7, 9)).save(folder / "small.png")
    options = make_options(crop=(0, 0, 8, 8))
    with pytest.raises(DatasetError, match=r"small\.png, which is 7 wide and 9 high"):
        load_dataset(f"folder:{folder}", options, progress=False)


def test_encrypted_member_of_a_zip_is_named(tmp_path, make_options, write_solid):
    write_solid(tmp_path / "a.png", 10)
    path = tmp_path / "secret.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "a.png", "a.png")
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[6] |= 1  # "encrypted" in the local header
    data[directory + 8] |= 1  # and in the directory
    path.write_bytes(bytes(data))
    with pytest.raises(DatasetError, match="encrypted"):
        load_dataset(f"folder:{path}", make_options(), progress=False)


def test_windows_names_in_a_zip_are_found(tmp_path, make_options):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (5, 5, 5)).save(buffer, "png")
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("faces/ä b.png", buffer.getvalue())
        archive.writestr("faces/labels.csv", "file,kind\nä b.png,x\n")
    dataset = load_dataset(f"folder:{path}", make_options(), progress=False)
    assert get_greys(dataset) == [5]
    assert dataset.label_columns[0].values == ("x",)
