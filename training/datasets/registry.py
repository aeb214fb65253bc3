"""The data sets by name."""

from training.datasets.avatars import find_avatars, load_avatars
from training.datasets.celeba import TERMS, TITLE, find_celeba, load_celeba
from training.datasets.folder import DEFAULT_TERMS, find_folder, load_folder
from training.datasets.torchvision_sets import TORCHVISION_SETS, build_source
from training.datasets.types import DatasetOptions, DatasetSource, ImageDataset
from training.datasets.value_names import name_values
from training.errors import DatasetError

DATASETS: dict[str, DatasetSource] = {
    source.key: source
    for source in (
        DatasetSource(
            key="avatars",
            title="Vector faces; toon-head and other styles",
            terms="CC BY 4.0 (toon-head), others by style",
            size="20,000 or more, any resolution",
            argument="[:STYLE]",
            load=load_avatars,
            find=find_avatars,
        ),
        DatasetSource(
            key="folder",
            title="Your images: a folder or .zip",
            terms=DEFAULT_TERMS,
            size="as many as there are",
            argument=":PATH",
            load=load_folder,
            find=find_folder,
        ),
        *(build_source(source) for source in TORCHVISION_SETS),
        DatasetSource(
            key="celeba",
            title=TITLE,
            terms=TERMS,
            size="202,599 of 178x218, 1.4 GB",
            argument="",
            load=load_celeba,
            find=find_celeba,
        ),
    )
}


def load_dataset(
    name: str, options: DatasetOptions | None = None, progress: bool = True
) -> ImageDataset:
    """Load a data set by name, such as "avatars", "avatars:lorelei", "folder:PATH" or "mnist".

    It is decoded once and kept in the cache. Raises DatasetError if it is unknown, not there, or
    unusable.
    """
    key, colon, argument = name.partition(":")
    source = DATASETS.get(key)
    if source is None:
        raise DatasetError(
            f"There is no data set {key!r}: choose one of {', '.join(DATASETS)}; "
            f"for images of your own write folder:PATH."
        )
    if colon and not source.argument:
        raise DatasetError(f"{key} takes nothing after its name: write {key}, not {name}.")
    if source.argument.startswith(":") and not argument:
        raise DatasetError(f"{key} needs to know which: write {key}{source.argument}.")
    options = options or DatasetOptions()
    return name_values(source.load(argument, options, progress), options.value_names)
