"""CelebA from tiny files laid out as the original."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image

from training.datasets import DATASETS, LabelColumn, load_dataset
from training.errors import DatasetError

ATTRIBUTES = "3\nBald Smiling \n000001.jpg -1  1\n000002.jpg  1 -1\n000003.jpg  1  1\n"


@pytest.fixture
def root(tmp_path) -> Path:
    """Three faces of one grey each, 10 wide and 14 high."""
    folder = tmp_path / "data" / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    for i in (1, 2, 3):
        image = Image.new("RGB", (10, 14), (40 * i,) * 3)
        image.save(folder / "img_align_celeba" / f"00000{i}.jpg")
    (folder / "list_attr_celeba.txt").write_text(ATTRIBUTES)
    return tmp_path / "data"


def test_faces_come_with_their_attributes(root, make_options):
    dataset = load_dataset("celeba", make_options(data_root=root), progress=False)
    assert dataset.images[:, 0, 4, 4].tolist() == [40, 80, 120]
    assert dataset.label_columns == (
        LabelColumn("Bald", ("no", "yes")),
        LabelColumn("Smiling", ("no", "yes")),
    )
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [[0, 1], [1, 0], [1, 1]]
    assert "non-commercial" in dataset.terms
    assert dataset.notes == ()


def test_zip_and_commas_are_read_as_well(root, make_options):
    from_folder = load_dataset("celeba", make_options(data_root=root), progress=False)
    folder = root / "celeba"
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for path in (folder / "img_align_celeba").iterdir():
            archive.write(path, f"img_align_celeba/{path.name}")
            path.unlink()
    (folder / "img_align_celeba").rmdir()
    (folder / "list_attr_celeba.txt").unlink()
    lines = ATTRIBUTES.splitlines()[2:]
    table = "\n".join(["image_id,Bald,Smiling", *(",".join(line.split()) for line in lines)])
    (folder / "list_attr_celeba.csv").write_text(table)
    from_zip = load_dataset("celeba", make_options(data_root=root), progress=False)
    assert np.array_equal(from_zip.images, from_folder.images)
    assert from_zip.labels is not None
    assert from_folder.labels is not None
    assert np.array_equal(from_zip.labels, from_folder.labels)
    assert from_zip.label_columns == from_folder.label_columns


def test_labels_follow_the_faces_that_are_left(root, make_options):
    (root / "celeba" / "img_align_celeba" / "000001.jpg").write_bytes(b"cut")
    dataset = load_dataset("celeba", make_options(data_root=root), progress=False)
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [[1, 0], [1, 1]]
    reason = "not an image of a known format"
    assert dataset.notes == (f"skipped 1 file that cannot be decoded: 000001.jpg ({reason})",)


def pack(folder):
    """Write the .zip that the folder was unpacked from."""
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for path in sorted((folder / "img_align_celeba").iterdir()):
            archive.write(path, f"img_align_celeba/{path.name}")


@pytest.mark.parametrize("max_images", [None, 2])
def test_a_folder_unpacked_in_part_gives_way_to_the_zip(root, make_options, max_images):
    options = make_options(data_root=root, max_images=max_images)
    whole = load_dataset("celeba", options, progress=False)
    pack(root / "celeba")
    (root / "celeba" / "img_align_celeba" / "000002.jpg").unlink()
    dataset = load_dataset("celeba", options, progress=False)
    assert dataset.fingerprint == whole.fingerprint
    assert dataset.labels.tolist() == whole.labels.tolist()
    assert dataset.notes == ()


def test_a_whole_folder_is_taken_before_the_zip(root, make_options):
    pack(root / "celeba")
    for path in (root / "celeba" / "img_align_celeba").iterdir():
        Image.new("RGB", (10, 14), (200,) * 3).save(path)
    dataset = load_dataset("celeba", make_options(data_root=root), progress=False)
    assert dataset.images[:, 0, 4, 4].tolist() == [200, 200, 200]


def test_a_folder_unpacked_in_part_without_the_zip_is_noted(root, make_options, capsys):
    (root / "celeba" / "img_align_celeba" / "000002.jpg").unlink()
    dataset = load_dataset("celeba", make_options(data_root=root))
    assert dataset.labels.tolist() == [[0, 1], [1, 1]]
    (note,) = dataset.notes
    assert "has 2 of the 3 images that list_attr_celeba.txt names" in note
    assert note in capsys.readouterr().err


def test_without_attributes_there_are_no_labels(root, make_options):
    (root / "celeba" / "list_attr_celeba.txt").unlink()
    dataset = load_dataset("celeba", make_options(data_root=root), progress=False)
    assert dataset.labels is None
    assert dataset.notes[0].startswith("no labels: list_attr_celeba.txt is not beside")


@pytest.mark.parametrize(
    "table",
    [
        "",
        "3\nBald Smiling\n000001.jpg 1 1\n",
        ATTRIBUTES.replace("-1", "x"),
        ATTRIBUTES.replace("000002.jpg  1", "000002.jpg"),
    ],
)
def test_unusable_attributes_are_an_error(root, make_options, table):
    (root / "celeba" / "list_attr_celeba.txt").write_text(table)
    with pytest.raises(DatasetError, match=r"list_attr_celeba\.txt cannot be used"):
        load_dataset("celeba", make_options(data_root=root), progress=False)


def test_failed_download_says_which_files_go_where(tmp_path, make_options, monkeypatch):
    # Nothing is fetched, so torchvision finds no archive to unpack.
    monkeypatch.setattr(torchvision.datasets.CelebA, "file_list", [])
    options = make_options(data_root=tmp_path / "data")
    monkeypatch.setattr(torchvision.datasets.CelebA, "_check_integrity", lambda self: False)
    assert DATASETS["celeba"].find(options) == "needs download"
    with pytest.raises(DatasetError) as caught:
        load_dataset("celeba", options, progress=False)
    message = str(caught.value)
    assert "img_align_celeba.zip and list_attr_celeba.txt" in message
    assert str(tmp_path / "data" / "celeba") in message
