"""MNIST, Fashion-MNIST and CIFAR-10 from tiny files of their formats."""

import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets

from training.datasets import DATASETS, load_dataset
from training.errors import DatasetError

FOLDERS = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw"}
CLASSES = {"mnist": torchvision.datasets.MNIST, "fashion-mnist": torchvision.datasets.FashionMNIST}
# A port of this machine that nothing listens on: every download fails at once.
NOWHERE = "http://127.0.0.1:9/"


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 8, 8), dtype=np.uint8)


@pytest.fixture(params=["mnist", "fashion-mnist"])
def idx_set(request, tmp_path, images) -> tuple[str, Path]:
    """Write the four files; the images of the test split are black and must not be read."""
    folder = tmp_path / "data" / FOLDERS[request.param]
    write_idx(folder / "train-images-idx3-ubyte", images)
    write_idx(folder / "train-labels-idx1-ubyte", np.array([7, 0, 9, 7]))
    write_idx(folder / "t10k-images-idx3-ubyte", np.zeros((2, 8, 8)))
    write_idx(folder / "t10k-labels-idx1-ubyte", np.zeros(2))
    return request.param, folder


def test_idx_files_give_their_pixels_and_labels(idx_set, images, make_options, tmp_path):
    name, _ = idx_set
    options = make_options(channels=1, data_root=tmp_path / "data")
    dataset = load_dataset(name, options, progress=False)
    assert np.array_equal(dataset.images, images[:, None])
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [[7], [0], [9], [7]]
    assert len(dataset.label_columns[0].values) == 10
    assert dataset.name == name
    again = load_dataset(name, options, progress=False)
    assert np.array_equal(again.images, images[:, None])
    assert again.labels is not None
    assert again.labels.tolist() == dataset.labels.tolist()


def test_label_values_are_readable(idx_set, make_options, tmp_path):
    name, _ = idx_set
    dataset = load_dataset(name, make_options(data_root=tmp_path / "data"), progress=False)
    expected = {
        "mnist": ("digit", "7", "0"),
        "fashion-mnist": ("article", "Sneaker", "T-shirt/top"),
    }
    column = dataset.label_columns[0]
    assert (column.name, column.values[7], column.values[0]) == expected[name]


def test_three_channels_repeat_the_grey(idx_set, images, make_options, tmp_path):
    name, _ = idx_set
    options = make_options(data_root=tmp_path / "data", max_images=2)
    dataset = load_dataset(name, options, progress=False)
    assert np.array_equal(dataset.images, np.repeat(images[:2, None], 3, axis=1))
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [[7], [0]]


def test_listing_says_whether_the_files_are_here(idx_set, make_options, tmp_path):
    name, folder = idx_set
    options = make_options(data_root=tmp_path / "data")
    assert DATASETS[name].find(options) == f"found in {folder}"
    load_dataset(name, options, progress=False)
    assert DATASETS[name].find(options) == f"found in {folder}, cached"
    (folder / "t10k-labels-idx1-ubyte").unlink()
    assert DATASETS[name].find(options) == "needs download"


def test_cut_off_file_is_an_error(idx_set, make_options, tmp_path):
    name, folder = idx_set
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DatasetError, match=r"are damaged .*: delete that folder"):
        load_dataset(name, make_options(data_root=tmp_path / "data"), progress=False)


def test_files_that_do_not_fit_together_are_an_error(idx_set, make_options, tmp_path):
    name, folder = idx_set
    write_idx(folder / "train-labels-idx1-ubyte", np.array([1, 2, 3]))
    with pytest.raises(DatasetError, match="4 images, 3 labels from 1 to 3"):
        load_dataset(name, make_options(data_root=tmp_path / "data"), progress=False)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_failed_download_says_which_files_go_where(name, make_options, tmp_path, monkeypatch):
    monkeypatch.setattr(CLASSES[name], "mirrors", [NOWHERE])
    with pytest.raises(DatasetError) as caught:
        load_dataset(name, make_options(data_root=tmp_path / "data"), progress=False)
    message = str(caught.value)
    assert str(tmp_path / "data" / FOLDERS[name]) in message
    assert "train-images-idx3-ubyte.gz" in message
    assert "--data-root" in message


def test_crop_applies_to_small_images_too(idx_set, make_options, tmp_path):
    name, _ = idx_set
    options = make_options(data_root=tmp_path / "data", crop=(0, 0, 9, 9))
    with pytest.raises(DatasetError, match="8 wide and 8 high"):
        load_dataset(name, options, progress=False)


@pytest.fixture
def cifar(tmp_path, monkeypatch) -> np.ndarray:
    """Write CIFAR-10 of two images a batch, and tell torchvision the checksums of these files."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 256, (12, 3, 32, 32), dtype=np.uint8)

    def write(name: str, content: dict) -> str:
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    sums = []
    for i, name in enumerate(names):
        rows = pixels[2 * i : 2 * i + 2].reshape(2, -1)
        sums.append([name, write(name, {"data": rows, "labels": [i, 9]})])
    meta = {"label_names": ["airplane"]}
    md5 = write("batches.meta", meta)
    cifar10 = torchvision.datasets.CIFAR10
    monkeypatch.setattr(cifar10, "train_list", sums[:5])
    monkeypatch.setattr(cifar10, "test_list", sums[5:])
    monkeypatch.setattr(cifar10, "meta", {**cifar10.meta, "md5": md5})
    return pixels[:10]


def test_cifar10_gives_its_pixels_and_labels(cifar, make_options, tmp_path):
    options = make_options(resolution=32, data_root=tmp_path / "data")
    dataset = load_dataset("cifar10", options, progress=False)
    assert np.array_equal(dataset.images, cifar)
    assert dataset.labels is not None
    assert dataset.labels[:, 0].tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    assert dataset.label_columns[0].values[0] == "airplane"
    assert dataset.label_columns[0].values[9] == "truck"


def test_altered_cifar10_batch_is_refused_before_it_is_unpickled(cifar, make_options, tmp_path):
    path = tmp_path / "data" / "cifar-10-batches-py" / "data_batch_1"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DatasetError, match="are damaged"):
        load_dataset("cifar10", make_options(data_root=tmp_path / "data"), progress=False)


def test_failed_download_of_cifar10_says_what_to_get(make_options, tmp_path, monkeypatch):
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", NOWHERE + "cifar-10-python.tar.gz")
    with pytest.raises(DatasetError, match=r"get the files of cifar-10-python\.tar\.gz"):
        load_dataset("cifar10", make_options(data_root=tmp_path / "data"), progress=False)
