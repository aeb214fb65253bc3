"""Files of readers of labels: written, loaded, and found by the data set they learned."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize

from training.errors import ConfigError, MetricError
from training.files import get_cache_dir, write_bytes
from training.labels import LabelLayout
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
    """Write a reader to one file, its weights in float16."""
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

    Fingerprint and resolution must match, and each label's name and values. The first folder with
    a match decides; files that are not readable readers are passed over.
    """
    wanted = {label.name: getattr(label, "values", None) for label in layout}
    for folder in folders:
        for path in sorted(folder.glob("*.safetensors")):
            try:
                with safe_open(path, "pt") as file:
                    facts = json.loads((file.metadata() or {})[METADATA_KEY])
                if facts["format_version"] != FORMAT_VERSION:
                    continue
                known = {
                    label.name: getattr(label, "values", None)
                    for label in LabelLayout.from_list(facts["labels"])
                }
                found = facts["dataset"]
                is_same = all(
                    found[key] == dataset.get(key) for key in ("fingerprint", "resolution")
                )
            except (*DAMAGE, ConfigError):
                continue
            if is_same and all(known.get(name, ()) == values for name, values in wanted.items()):
                return path
    return None
