"""Data sets: decoded once into one uint8 array, kept in a memory-mapped cache."""

from training.datasets.registry import DATASETS, load_dataset
from training.datasets.types import DatasetOptions, DatasetSource, ImageDataset, LabelColumn

__all__ = [
    "DATASETS",
    "DatasetOptions",
    "DatasetSource",
    "ImageDataset",
    "LabelColumn",
    "load_dataset",
]
