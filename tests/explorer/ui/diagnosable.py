"""Models that a diagnosis has much to say about: one varied, one stuck, their data set at hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from explorer.library import REFERENCES_FOLDER
from tests.explorer.labelled import save_labelled_model, save_untrained_reader
from tests.explorer.ui.live_app import (
    EXTRACTOR,
    RESOLUTION,
    SMALL_MODELS,
    make_dataset,
    make_header,
    save_small_checkpoint,
)
from training.checkpoint import load_generator, save_generator
from training.datasets.cache import compute_fingerprint
from training.datasets.types import ImageDataset, LabelColumn
from training.files import write_text
from training.metrics.reference import compute_reference
from training.metrics.reference_files import save_reference

NUM_REAL = 240
SHADE = LabelColumn("shade", ("dark", "light"))


def make_labelled_dataset() -> ImageDataset:
    """Draw 240 discs on gradients, labelled by whether the picture is darker than most."""
    dataset = make_dataset(NUM_REAL)
    brightness = dataset.images.mean(axis=(1, 2, 3))
    labels = (brightness > np.median(brightness)).astype(np.int64)[:, None]
    return replace(
        dataset,
        fingerprint=compute_fingerprint(dataset.images),
        labels=labels,
        label_columns=(SHADE,),
    )


def write_cache(cache_dir: Path, dataset: ImageDataset) -> None:
    """Leave a data set's pixels where a decoded one leaves them."""
    folder = cache_dir / "datasets"
    folder.mkdir(parents=True)
    path = folder / f"discs-{RESOLUTION}.npy"
    np.save(path, dataset.images)
    fingerprint, shape = dataset.fingerprint, list(dataset.images.shape)
    write_text(
        path.with_suffix(".json"),
        f'{{"fingerprint": "{fingerprint}", "shape": {shape}, "labels": []}}',
    )


def fill_diagnosable_folder(folder: Path, cache_dir: Path) -> ImageDataset:
    """Put models into a folder, with the reference of their images, which are in the cache.

    "one" differs by seed, "stuck" makes the same image for every seed, and "stranger" learned
    images that there are no statistics of. "faces" has labels, and a reader that learned nothing.
    """
    dataset = make_labelled_dataset()
    folder.mkdir(parents=True)
    for name in ("one", "stuck", "stranger"):
        model, z_dim = SMALL_MODELS["one"]
        path = save_small_checkpoint(folder, name, model, z_dim)
        if name == "stranger":
            continue
        generator, header = load_generator(path)
        if name == "stuck":
            with torch.no_grad():
                next(iter(generator.parameters())).zero_()
        save_generator(path, generator, make_header(header.model, dataset.describe()))
    save_labelled_model(folder, "faces", dataset.describe())
    save_untrained_reader(folder, dataset.describe())
    references = folder / REFERENCES_FOLDER
    references.mkdir()
    reference = compute_reference(dataset, EXTRACTOR, progress=False)
    save_reference(references / f"discs-{RESOLUTION}-{EXTRACTOR}.safetensors", reference)
    write_cache(cache_dir, dataset)
    return dataset
