"""Which reference statistics a checkpoint is scored against."""

import argparse
from pathlib import Path

from training.checkpoint import CheckpointHeader, load_header
from training.errors import MetricError
from training.files import get_cache_dir
from training.metrics.cli_arguments import REFERENCE_FOLDER
from training.metrics.reference_files import ReferenceStatistics, find_reference, load_reference


def choose_reference(path: Path, args: argparse.Namespace) -> ReferenceStatistics:
    """Load the reference in the file `args.reference`, or one of the checkpoint's own images.

    Raises MetricError if there is none, or if its extractor is not `args.extractor` or its
    resolution not the checkpoint's.
    """
    header = load_header(path)
    if args.reference is not None:
        reference = load_reference(args.reference)
        _check_extractor(args.reference, reference, args.extractor)
    else:
        reference = _find_own(path, header, args.extractor)
    _check_resolution(path, header, reference)
    return reference


def _find_own(path: Path, header: CheckpointHeader, extractor: str) -> ReferenceStatistics:
    folders = [REFERENCE_FOLDER, path.parent / "references", get_cache_dir() / "references"]
    reference = find_reference(header.dataset, extractor, folders)
    if reference is None:
        name, resolution = header.dataset.get("name"), header.dataset.get("resolution")
        raise MetricError(
            f"Evaluate: found no {extractor} reference statistics of {path.name}'s data set"
            f" {name} at {resolution} px in {', '.join(map(str, folders))}; make them with"
            f" `python -m training reference --data {name} --resolution {resolution}"
            f" --extractor {extractor}`, or name a file with --reference."
        )
    return reference


def _check_extractor(path: Path, reference: ReferenceStatistics, extractor: str) -> None:
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
