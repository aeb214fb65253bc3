"""What the tests of references share: features by hand, labelled images, files as they were."""

import dataclasses
import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from training.datasets.types import LabelColumn
from training.metrics.reference import save_reference
from training.metrics.reference_files import METADATA_KEY


def block_means(dataset):
    """Compute the tiny extractor's features with NumPy alone."""
    blocks = dataset.images.reshape(len(dataset), 3, 4, 4, 4, 4).astype(np.float64)
    return blocks.mean(axis=(3, 5)).reshape(len(dataset), 48) / 255


def make_labelled(dataset):
    """Darken every other image, and label them."""
    is_bright = np.arange(len(dataset)) % 2
    images = np.where(is_bright[:, None, None, None], dataset.images, dataset.images // 2)
    columns = (LabelColumn("light", ("dark", "bright")),)
    return dataclasses.replace(
        dataset, images=images, labels=is_bright[:, None], label_columns=columns
    )


def rewrite(path, tensors=None, **facts):
    """Change tensors or facts of a reference file."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    values = json.loads(metadata[METADATA_KEY]) | facts
    contents = load_file(path) | (tensors or {})
    save_file(contents, path, metadata={METADATA_KEY: json.dumps(values)})


def write_version_2(path, reference):
    """Write a file as version 2 had it: the number of measured images, and not which ones."""
    save_reference(path, reference)
    tensors = load_file(path)
    with safe_open(path, framework="numpy") as file:
        facts = json.loads(file.metadata()[METADATA_KEY])
    facts["format_version"] = 2
    facts["real"]["num_images"] = len(tensors.pop("real.measured_indices"))
    save_file(tensors, path, metadata={METADATA_KEY: json.dumps(facts)})
