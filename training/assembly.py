"""What a training computes with: its networks and its real images, as far as the memory goes."""

import torch

from training.batches import ImageBatches
from training.config import TrainConfig
from training.datasets import ImageDataset
from training.datasets.label_rows import LabelRows, read_label_rows
from training.devices import uses_bfloat16
from training.footprint import SMALLER_NETWORKS, check_networks
from training.free_memory import advise_out_of_memory
from training.labels import NO_LABELS
from training.models import get_model_spec
from training.processes import Processes
from training.step import AdversarialStep
from training.templates import fit_templates


def read_labels(config: TrainConfig, dataset: ImageDataset) -> LabelRows | None:
    """Read the labels that the model is to learn, if it takes any."""
    if not get_model_spec(config.model).has_labels:
        return None
    return read_label_rows(dataset, config.labels)


def build_engine(
    config: TrainConfig,
    dataset: ImageDataset,
    labels: LabelRows | None,
    device: torch.device,
    processes: Processes,
) -> AdversarialStep:
    """Build networks and optimisers on the device; raises TrainingError if they do not fit."""
    layout = labels.layout if labels else NO_LABELS
    model = config.build_model_config(dataset.channels, dataset.resolution, layout)
    has_autocast = uses_bfloat16(config.precision, device)
    check_networks(model, device, processes.num)
    with advise_out_of_memory("the networks", f"{SMALLER_NETWORKS}."):
        engine = AdversarialStep(config, model, device, has_autocast, processes)
        if labels:
            engine.set_templates(fit_templates(dataset, labels.layout, labels.rows))
    return engine


def build_batches(
    config: TrainConfig,
    dataset: ImageDataset,
    labels: LabelRows | None,
    device: torch.device,
    processes: Processes,
    num_reserved: int,
) -> ImageBatches:
    """Build the batches of real images; ``num_reserved`` bytes of a GPU are not for them.

    Raises TrainingError if they do not fit, DatasetError if they are fewer than a batch.
    """
    with advise_out_of_memory(f"{len(dataset):,} images", "take fewer, with --max-images."):
        return ImageBatches(
            dataset,
            config.batch_size,
            config.seed,
            config.is_mirrored,
            device,
            processes,
            labels.rows if labels else None,
            num_reserved,
        )
