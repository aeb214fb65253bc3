"""Files of readers of labels: written, loaded, and found by the data set they learned."""

import hashlib
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize

from training.checkpoint import CheckpointHeader
from training.datasets.types import ImageDataset
from training.errors import ConfigError, MetricError
from training.files import explain_write_errors, get_cache_dir, slugify, write_bytes
from training.labels import LabelLayout
from training.metrics.data_advice import PLACE_ADVICE, describe_data_options
from training.metrics.label_agreement import LabelAgreement
from training.metrics.label_reader import LabelReader, ReaderNetwork

FORMAT_VERSION = 1
METADATA_KEY = "latent_explorer_reader"
# What reading a file can raise that is no reader, or a damaged one.
DAMAGE = (
    SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError, OverflowError,
    AttributeError,
)  # fmt: skip
READER_FOLDER = "readers"  # beside checkpoints, and in the cache


def save_reader(path: Path, reader: LabelReader) -> None:
    """Write a reader to one file, its weights in float16; raises ProjectError if that fails."""
    weights = {
        name: tensor.detach().cpu().half() if tensor.is_floating_point() else tensor.cpu()
        for name, tensor in reader.network.state_dict().items()
    }
    facts = {
        "format_version": FORMAT_VERSION,
        "labels": reader.layout.to_list(),
        "dataset": reader.dataset,
        "channels": int(next(reader.network.parameters()).shape[1]),
        "num_held_out": reader.num_held_out,
        "agreements": [
            {
                "name": one.name,
                "value": one.value,
                "num_images": one.num_images,
                "error": one.error,
                "confusion": None if one.confusion is None else one.confusion.tolist(),
            }
            for one in reader.agreements
        ],
    }
    with explain_write_errors(path):
        write_bytes(path, serialize(weights, {METADATA_KEY: json.dumps(facts)}))


def load_reader(path: Path, device: torch.device | str = "cpu") -> LabelReader:
    """Load a reader; raises MetricError that says why the file cannot be one."""
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})[METADATA_KEY])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if facts["format_version"] != FORMAT_VERSION:
            raise MetricError(
                f"{path} has format version {facts['format_version']!r}, this program reads "
                f"{FORMAT_VERSION}: update the program or train the reader again."
            )
        layout = LabelLayout.from_list(facts["labels"])
        network = ReaderNetwork(
            facts["channels"], facts["dataset"]["resolution"], layout.vector_size
        )
        network.load_state_dict(weights)
        agreements = tuple(
            LabelAgreement(
                item["name"],
                item["value"],
                item["num_images"],
                item["error"],
                None if item["confusion"] is None else np.array(item["confusion"]),
            )
            for item in facts["agreements"]
        )
        num_held_out = int(facts["num_held_out"])
        if [one.name for one in agreements] != list(layout.names):
            raise ValueError("what was measured is not what is read")
    except FileNotFoundError as error:
        raise MetricError(f"There is no file {path}: check the path.") from error
    except DAMAGE as error:
        raise MetricError(
            f"{path} is not a readable reader of labels ({type(error).__name__}): copy it again, "
            "or train it again with `python -m training reader`."
        ) from error
    except ConfigError as error:
        raise MetricError(f"{path} describes labels that cannot be: {error}") from error
    network.to(device).eval().requires_grad_(False)
    return LabelReader(layout, facts["dataset"], network, agreements, num_held_out)


def list_reader_folders(checkpoints: Path, cache_dir: Path | None = None) -> list[Path]:
    """List where readers are looked for: beside the checkpoints, then in the cache."""
    return [checkpoints / READER_FOLDER, get_cache_dir(cache_dir) / READER_FOLDER]


def find_reader(
    dataset: dict[str, Any], layout: LabelLayout, folders: Sequence[Path]
) -> Path | None:
    """Find a reader that learned this data set (as `ImageDataset.describe` gives it) and labels.

    Fingerprint and resolution must match, and each label's name, values, and what the images have
    of it, where both know. The first folder with a match decides, and there the reader of fewest
    other labels; files that are not readable readers are passed over.
    """
    for folder in folders:
        found = []
        for path in sorted(folder.glob("*.safetensors")):
            facts = read_reader_facts(path)
            if facts is not None and _is_of(facts, dataset, layout):
                found.append((len(facts["labels"]), path))
        if found:
            return min(found)[1]
    return None


def read_reader_facts(path: Path) -> dict[str, Any] | None:
    """Read what a reader's file says of itself, its "labels" as a layout; None if it is none."""
    try:
        with safe_open(path, "pt") as file:
            facts: dict[str, Any] = json.loads((file.metadata() or {})[METADATA_KEY])
        if facts["format_version"] != FORMAT_VERSION:
            return None
        layout = LabelLayout.from_list(facts["labels"])
        return {**facts, "labels": layout, "dataset": dict(facts["dataset"])}
    except (*DAMAGE, ConfigError):
        return None


def choose_reader_path(folder: Path, dataset: ImageDataset, layout: LabelLayout) -> Path:
    """Choose the path of a new reader: data set and resolution, unless that is of another one."""
    name = f"{slugify(dataset.name)}-{dataset.resolution}"
    path = folder / f"{name}.safetensors"
    facts = read_reader_facts(path) if path.exists() else None
    if not path.exists() or (
        facts is not None
        and facts["labels"].names == layout.names
        and _is_of(facts, dataset.describe(), layout)
    ):
        return path
    identity = json.dumps([dataset.fingerprint, dataset.fingerprint_labels(), layout.to_list()])
    return folder / f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}.safetensors"


def describe_reader_command(header: CheckpointHeader, folder: Path) -> str:
    """Write the command that trains the reader of a model, for messages."""
    name, resolution = str(header.dataset.get("name", "DATA")), header.model.img_resolution
    labels = ",".join(f"{item['name']}:{item['kind']}" for item in header.model.labels.to_list())
    output = folder / f"{slugify(name)}-{resolution}.safetensors"
    return (
        f"`python -m training reader {describe_data_options(header)} "
        f"{shlex.join(['--labels', labels, '--output', str(output)])}`, {PLACE_ADVICE}"
    )


def _is_of(facts: dict[str, Any], dataset: dict[str, Any], layout: LabelLayout) -> bool:
    """Tell whether a reader learned these images and labels."""
    found = facts["dataset"]
    if any(found.get(key) != dataset.get(key) for key in ("fingerprint", "resolution")):
        return False
    learned = {label.name: getattr(label, "values", None) for label in facts["labels"]}
    if any(learned.get(label.name, ()) != getattr(label, "values", None) for label in layout):
        return False
    # Files of earlier versions do not say which image has which label.
    known, wanted = (dict(one.get("label_fingerprints", {})) for one in (found, dataset))
    both = [name for name in layout.names if name in known and name in wanted]
    return all(known[name] == wanted[name] for name in both)
