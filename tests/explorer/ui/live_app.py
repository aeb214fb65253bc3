"""Small checkpoints, their reference statistics, and a server that shows them."""

from __future__ import annotations

import contextlib
import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch

from explorer.library import REFERENCES_FOLDER, CheckpointLibrary
from explorer.runs import RunLibrary
from explorer.sampler import Sampler
from explorer.ui.app import build_page, get_launch_options
from explorer.ui.context import AppContext
from training.checkpoint import CheckpointHeader, save_generator
from training.datasets.types import ImageDataset
from training.metrics.extractors import EXTRACTORS
from training.metrics.frechet import FeatureStatistics
from training.metrics.reference_files import ReferenceStatistics, save_reference
from training.models import ModelConfig, build_generator

EXTRACTOR = "efficientnet-lite0"
RESOLUTION = 32
# How a client is made: on a busy machine an answer takes longer than the 5 seconds it gives one.
PATIENT: dict[str, Any] = {"verbose": False, "httpx_kwargs": {"timeout": 300}}
TERMS = "CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0/), drawn for tests"
SMALL_MODELS = {"one": ("dcgan", 16), "two": ("wgan_gp", 16), "three": ("sgan", 8)}
# Freshly initialised weights give nearly grey images; these factors give each seed its own.
GAINS = {"dcgan": 9.0, "wgan_gp": 8.0, "sgan": 17.0}


@dataclass(frozen=True)
class LiveApp:
    """Hold a running server, its address, and what it was built over."""

    demo: gr.Blocks
    url: str
    library: CheckpointLibrary
    sampler: Sampler
    exports: Path
    context: AppContext


def make_dataset(num_images: int) -> ImageDataset:
    """Draw discs on gradients, uint8 (N, 3, 32, 32)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:RESOLUTION, 0:RESOLUTION]
    images = np.empty((num_images, 3, RESOLUTION, RESOLUTION), np.uint8)
    for image in images:
        centre, radius = rng.uniform(8, 24, 2), rng.uniform(4, 10)
        disc = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
        for channel, (low, high, inside) in zip(image, rng.integers(0, 256, (3, 3)), strict=True):
            channel[:] = np.where(disc, inside, low + (high - low) * y / RESOLUTION)
    return ImageDataset("folder:discs", "Discs", TERMS, images, "discs-1")


def make_header(config: ModelConfig, dataset: dict[str, Any]) -> CheckpointHeader:
    """Describe a made-up training of 10 scored rows."""
    history = [
        {
            "step": 100 * row,
            "images_seen": 6400 * row,
            "seconds": 60.0 * row,
            "score": 50 + 300 * math.exp(-row / 3),
            "score_name": "FD-EfficientNet-Lite0",
            "extractor": EXTRACTOR,
            "num_samples": 1000,
            "reference": dataset["name"],
            "noise_floor": 12.5,
            "loss_d": 1.0 + 0.1 * math.sin(row),
            "loss_g": 1.5 + 0.1 * math.cos(row),
        }
        for row in range(1, 11)
    ]
    training = {
        "images_seen": 64000, "steps": 1000, "seconds": 5400.0, "device": "cpu", "seed": 7,
        "batch_size": 64, "command": "python -m training train --model dcgan",
    }  # fmt: skip
    return CheckpointHeader(config, dataset, training, history)


def save_small_checkpoint(folder: Path, name: str, model: str, z_dim: int, seed: int = 0) -> Path:
    """Save an untrained generator of 32 x 32 pixels whose images differ by seed."""
    config = ModelConfig(model=model, z_dim=z_dim, width=8, img_resolution=RESOLUTION)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = build_generator(config)
    with torch.no_grad():
        for parameter in generator.parameters():
            if parameter.ndim > 1:
                parameter.mul_(GAINS[model])
    path = folder / f"{name}.safetensors"
    save_generator(path, generator, make_header(config, make_dataset(2).describe()))
    return path


def fill_folder(folder: Path, has_reference: bool = False) -> Path:
    """Put the small checkpoints and a damaged file into a folder, with a reference if asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, (model, z_dim)) in enumerate(SMALL_MODELS.items()):
        save_small_checkpoint(folder, name, model, z_dim, seed)
    (folder / "damaged.safetensors").write_bytes(b"\x00" * 64)
    if has_reference:
        references = folder / REFERENCES_FOLDER
        references.mkdir()
        save_reference(references / f"discs-{RESOLUTION}-{EXTRACTOR}.safetensors", make_reference())
    return folder


def make_reference() -> ReferenceStatistics:
    """Make statistics of normal features, where a real extractor would take half a minute."""
    dim = EXTRACTORS[EXTRACTOR].dim
    statistics = FeatureStatistics(np.zeros(dim), np.eye(dim), 5000)
    floor = ((100, 40.0), (1000, 9.0), (2500, 4.0))
    return ReferenceStatistics(make_dataset(2).describe(), EXTRACTOR, statistics, floor)


def find_port() -> int:
    """Return a free port of this process's own hundred.

    Gradio looks for a free one too, and binds it a little later: in between, tests in another
    process would take the same.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 7900 + 100 * worker
    for port in range(first, first + 100):
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"None of the ports {first} to {first + 99} is free.")


@contextmanager
def serve(checkpoints: Path, exports: Path) -> Iterator[LiveApp]:
    """Serve the page over a folder on a free port, as app.py does, until the block ends."""
    library = CheckpointLibrary(checkpoints)
    sampler = Sampler(library)
    runs = RunLibrary(exports.with_name("runs"))
    context = AppContext(library, sampler, exports, runs, scores=exports.with_name("scores"))
    demo = build_page(context)
    _, url, _ = demo.launch(
        server_name="127.0.0.1",
        server_port=find_port(),
        prevent_thread_lock=True,
        quiet=True,
        _frontend=False,  # whether the page can be had is asked by the tests, with more patience
        **get_launch_options(),
    )
    try:
        yield LiveApp(demo, url, library, sampler, exports, context)
    finally:
        demo.close(verbose=False)
        context.worker.shut_down()
