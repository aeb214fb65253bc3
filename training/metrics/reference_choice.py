"""Which reference statistics a checkpoint is scored against."""

import argparse
import shlex
from pathlib import Path

from training.checkpoint import CheckpointHeader, load_header
from training.datasets import DATASETS, DatasetOptions, load_dataset
from training.devices import select_device
from training.errors import MetricError
from training.files import get_cache_dir
from training.metrics.cli_arguments import REFERENCE_FOLDER
from training.metrics.data_advice import PLACE_ADVICE, describe_data_options
from training.metrics.estimator import check_weights
from training.metrics.extractors import identify_weights
from training.metrics.reference import get_reference
from training.metrics.reference_files import ReferenceStatistics, load_reference
from training.metrics.reference_search import find_reference


def choose_reference(path: Path, args: argparse.Namespace) -> ReferenceStatistics:
    """Return the reference that `args.reference` names, or one of the checkpoint's own images.

    A name is a file of reference statistics, or a data set such as folder:photos, whose images are
    measured at the checkpoint's resolution, with progress, and cached. Raises MetricError if there
    is none, or if its extractor is not `args.extractor` or its resolution not the checkpoint's.
    """
    header = load_header(path)
    if args.reference is None:
        reference = _find_own(path, header, args)
    elif is_dataset_name(args.reference):
        reference = _measure_dataset(header, args)
    else:
        reference = load_reference(Path(args.reference))
        _check_extractor(args.reference, reference, args.extractor)
        check_weights(reference, identify_weights(args.extractor, args.extractor_weights))
    _check_resolution(path, header, reference)
    return reference


def is_dataset_name(text: str) -> bool:
    """Tell whether a text names a data set, such as avatars or folder:photos, not a file."""
    return text.partition(":")[0] in DATASETS and not Path(text).is_file()


def _measure_dataset(header: CheckpointHeader, args: argparse.Namespace) -> ReferenceStatistics:
    options = DatasetOptions(
        resolution=header.model.img_resolution,
        channels=header.model.img_channels,
        crop=args.crop,
        data_root=args.data_root,
        cache_dir=args.cache_dir,
    )
    return get_reference(
        load_dataset(args.reference, options),
        args.extractor,
        args.cache_dir,
        weights=args.extractor_weights,
        device=select_device(args.device),
    )


def _find_own(
    path: Path, header: CheckpointHeader, args: argparse.Namespace
) -> ReferenceStatistics:
    extractor: str = args.extractor
    caches = get_cache_dir(args.cache_dir) / "references"
    folders = [REFERENCE_FOLDER, path.parent / "references", caches]
    folders = list(dict.fromkeys(folders))
    weights = identify_weights(extractor, args.extractor_weights)
    reference = find_reference(header.dataset, extractor, folders, weights)
    if reference is None:
        name, resolution = header.dataset.get("name"), header.dataset.get("resolution")
        command, kind = f"{describe_data_options(header)} --extractor {extractor}", extractor
        if weights is not None:
            command += f" --extractor-weights {shlex.quote(str(args.extractor_weights))}"
            kind += " (of these weights)"
        raise MetricError(
            f"Evaluate: found no {kind} reference statistics of {path.name}'s data set"
            f" {name} at {resolution} px in {', '.join(map(str, folders))}; make them with"
            f" `python -m training reference {command}`, {PLACE_ADVICE}, or name a file or data"
            " set with --reference."
        )
    return reference


def _check_extractor(path: str, reference: ReferenceStatistics, extractor: str) -> None:
    if reference.extractor != extractor:
        raise MetricError(
            f"Evaluate: {path} was made with the extractor {reference.extractor}, expected"
            f" {extractor}; choose --extractor {reference.extractor}, or make a reference with"
            f" `python -m training reference --extractor {extractor}`."
        )


def _check_resolution(path: Path, header: CheckpointHeader, reference: ReferenceStatistics) -> None:
    found, expected = header.model.img_resolution, reference.dataset.get("resolution")
    if found != expected:
        raise MetricError(
            f"Evaluate: {path.name} makes images of {found} px, the reference {reference.name} is"
            f" of {expected} px; a score needs one resolution. Make a reference with"
            f" --resolution {found}."
        )
