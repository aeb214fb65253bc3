"""A small model with labels, and a reader of them, for tests of the explorer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.checkpoint import CheckpointHeader, save_generator
from training.labels import ClassLabel, LabelLayout, NumberLabel
from training.metrics.label_agreement import LabelAgreement
from training.metrics.label_reader import LabelReader, ReaderNetwork
from training.metrics.reader_files import save_reader
from training.models import ModelConfig, build_generator

LAYOUT = LabelLayout(
    (ClassLabel("hair", ("short", "long"), (0.5, 0.5)), NumberLabel("age", (0.0, 40.0, 100.0)))
)
CONFIG = ModelConfig("label_gan", z_dim=8, width=4, img_resolution=32, labels=LAYOUT)
DATASET = {"name": "toy", "title": "Toy", "fingerprint": "f", "resolution": 32}


def save_labelled_model(
    folder: Path,
    name: str = "faces",
    dataset: dict[str, Any] = DATASET,
    layout: LabelLayout = LAYOUT,
) -> Path:
    """Save a generator, untrained, whose images differ by label and latent."""
    config = replace(CONFIG, labels=layout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = build_generator(config).eval()
        torch.nn.init.normal_(generator.get_buffer("templates"))
        with torch.no_grad():
            for weights in generator.parameters():
                if weights.ndim == 4:
                    weights.mul_(5)
    path = folder / f"{name}.safetensors"
    save_generator(path, generator, CheckpointHeader(config, dataset=dataset))
    return path


def save_untrained_reader(folder: Path, dataset: dict[str, Any] = DATASET) -> Path:
    """Save a reader that learned nothing: it reads some label off each image, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = ReaderNetwork(3, 32, LAYOUT.vector_size).eval()
    agreements = (
        LabelAgreement("hair", 0.9, 50, confusion=np.array([[23, 2], [3, 22]])),
        LabelAgreement("age", 0.75, 50, error=8.0),
    )
    path = folder / "readers" / "toy.safetensors"
    save_reader(path, LabelReader(LAYOUT, dataset, network, agreements, 50))
    return path
