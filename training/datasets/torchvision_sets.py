"""Read MNIST, Fashion-MNIST and CIFAR-10 through torchvision."""

import sys
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.datasets.cache import encode_labels, has_cache, load_or_decode
from training.datasets.decode import convert_mode, get_crop_box, resize_square, to_array
from training.datasets.pool import Chunk
from training.datasets.types import DatasetOptions, DatasetSource, ImageDataset, LabelColumn
from training.errors import DatasetError
from training.files import get_cache_dir

DIGITS = tuple("0123456789")
FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
CIFAR10 = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
IDX_FILES = (
    *("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    *("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
CIFAR10_FILES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")


@dataclass(frozen=True)
class TorchvisionSet:
    """Describe one set: its class in torchvision.datasets and the files it reads below the root.

    archives: what to download by hand. The images are those of the training split.
    """

    key: str
    title: str
    terms: str
    size: str
    class_name: str
    folder: str
    files: tuple[str, ...]
    archives: str
    label: LabelColumn


TORCHVISION_SETS = (
    TorchvisionSet(
        key="mnist",
        title="MNIST handwritten digits",
        terms="CC BY-SA 3.0, LeCun and Cortes",
        size="60,000 of 28x28, 11 MB",
        class_name="MNIST",
        folder="MNIST/raw",
        files=IDX_FILES,
        archives=", ".join(f"{file}.gz" for file in IDX_FILES),
        label=LabelColumn("digit", DIGITS),
    ),
    TorchvisionSet(
        key="fashion-mnist",
        title="Fashion-MNIST articles of clothing",
        terms="MIT, Zalando SE",
        size="60,000 of 28x28, 30 MB",
        class_name="FashionMNIST",
        folder="FashionMNIST/raw",
        files=IDX_FILES,
        archives=", ".join(f"{file}.gz" for file in IDX_FILES)
        + " (Debian: in the package dataset-fashion-mnist)",
        label=LabelColumn("article", FASHION),
    ),
    TorchvisionSet(
        key="cifar10",
        title="CIFAR-10 small photographs",
        terms="no licence stated; cite Krizhevsky 2009",
        size="50,000 of 32x32, 163 MB",
        class_name="CIFAR10",
        folder="cifar-10-batches-py",
        files=CIFAR10_FILES,
        archives="the files of cifar-10-python.tar.gz",
        label=LabelColumn("object", CIFAR10),
    ),
)


class ArrayDecoder:
    """Crop and resize the images of a set; nothing is read before the first is needed."""

    def __init__(self, source: TorchvisionSet, root: Path, options: DatasetOptions) -> None:
        """Take the set, the folder it lies below, and how to decode it."""
        self.source = source
        self.root = root
        self.options = options

    @cached_property
    def _content(self) -> tuple[NDArray[np.uint8], list[int]]:
        return read_set(self.source, self.root)

    @property
    def num_items(self) -> int:
        """Count the images that are wanted."""
        return min(len(self._content[0]), self.options.max_images or sys.maxsize)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Return (C, H, W)."""
        return self.options.channels, self.options.resolution, self.options.resolution

    def decode(self, indices: range) -> Chunk:
        """Resize a range of images."""
        pixels, targets = self._content
        images = np.empty((len(indices), *self.image_shape), dtype=np.uint8)
        for row, index in enumerate(indices):
            image = convert_mode(Image.fromarray(pixels[index]), self.options.channels)
            box = get_crop_box(image.size, f"number {index}", self.options.crop)
            images[row] = to_array(resize_square(image, box, self.options.resolution))
        values = self.source.label.values
        return Chunk(images, tuple(indices), tuple((values[targets[i]],) for i in indices))


def load_set(
    source: TorchvisionSet, _argument: str, options: DatasetOptions, progress: bool
) -> ImageDataset:
    """Load one set, downloaded below the data root if it is not there.

    Raises DatasetError if it cannot be downloaded or its files are damaged.
    """
    root = get_data_root(options)
    if not has_files(source, root):
        download_set(source, root)
    decoder = ArrayDecoder(source, root, options)
    identity = get_identity(source, root)
    cached = load_or_decode(source.key, identity, decoder, options, progress, num_workers=1)
    return ImageDataset(
        name=source.key,
        title=source.title,
        terms=source.terms,
        images=cached.images,
        fingerprint=cached.fingerprint,
        labels=encode_labels(cached.labels, (source.label,)),
        label_columns=(source.label,),
    )


def find_set(source: TorchvisionSet, options: DatasetOptions) -> str:
    """Say whether a set is decoded, found, or to be downloaded."""
    root = get_data_root(options)
    if not has_files(source, root):
        return "needs download"
    is_cached = has_cache(source.key, get_identity(source, root), options)
    return f"found in {root / source.folder}" + (", cached" if is_cached else "")


def get_data_root(options: DatasetOptions) -> Path:
    """Return the folder that downloaded sets lie in: --data-root, or one in the cache."""
    if options.data_root is not None:
        return options.data_root.expanduser()
    return get_cache_dir(options.cache_dir) / "downloads"


def has_files(source: TorchvisionSet, root: Path) -> bool:
    """Say whether all files of a set are there."""
    return all((root / source.folder / file).is_file() for file in source.files)


def get_identity(source: TorchvisionSet, root: Path) -> dict[str, Any]:
    """Return path, size and time of change of the files of a set."""
    folder = (root / source.folder).resolve()
    stats = [(folder / file).stat() for file in source.files]
    return {"path": str(folder), "files": [[s.st_size, s.st_mtime_ns] for s in stats]}


def download_set(source: TorchvisionSet, root: Path) -> None:
    """Download a set with torchvision, which checks and unpacks it.

    Archives that already lie in the folder are only unpacked.
    """
    import torchvision.datasets

    try:
        getattr(torchvision.datasets, source.class_name)(root=root, download=True)
    except (OSError, RuntimeError, EOFError) as error:
        raise DatasetError(
            f"{source.title} is not in {root / source.folder} and cannot be downloaded "
            f"({shorten(error)}): get {source.archives} on a machine with a connection, put them "
            "into that folder (another than this with --data-root), and run the command again."
        ) from error


def read_set(source: TorchvisionSet, root: Path) -> tuple[NDArray[np.uint8], list[int]]:
    """Read images, uint8 (N, H, W) or (N, H, W, 3), and class indices of the training split."""
    import torchvision.datasets

    try:
        content = getattr(torchvision.datasets, source.class_name)(root=root, download=False)
    except (OSError, RuntimeError, ValueError, TypeError, AssertionError, EOFError, KeyError) as e:
        raise DatasetError(
            f"The files of {source.title} in {root / source.folder} are damaged "
            f"({shorten(e)}): delete that folder and run the command again."
        ) from e
    targets = [int(target) for target in content.targets]
    pixels = np.asarray(content.data)
    if len(targets) != len(pixels) or not set(targets) <= set(range(len(source.label.values))):
        raise DatasetError(
            f"The files of {source.title} in {root / source.folder} do not fit together: "
            f"{len(pixels)} images, {len(targets)} labels from {min(targets, default=0)} to "
            f"{max(targets, default=0)}; delete that folder and run the command again."
        )
    return pixels, targets


def shorten(error: BaseException) -> str:
    """Return the first words of an error on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else f"{text[:157]}..."


def build_source(source: TorchvisionSet) -> DatasetSource:
    """Build the registry's entry of a set."""
    return DatasetSource(
        key=source.key,
        title=source.title,
        terms=source.terms,
        size=source.size,
        argument="",
        load=partial(load_set, source),
        find=partial(find_set, source),
    )
