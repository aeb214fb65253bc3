"""Template images of labels, fitted to a data set before a training begins."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.datasets import ImageDataset
from training.labels import LabelLayout
from training.subset import choose_subset

CHUNK_SIZE = 512
# Least squares need no more, and reading a large set takes long.
MAX_IMAGES = 20_000


def fit_templates(dataset: ImageDataset, layout: LabelLayout, rows: NDArray[np.float32]) -> Tensor:
    """Fit templates (basis_size, C, H, W) whose mixture is nearest to each image of its labels.

    These are least squares: with one label of classes the templates are the classes' mean images,
    in [-1, 1]. Of many solutions (several labels) it is the one of least length. rows (N, L) are
    the images' labels. At most 20,000 images are used, chosen at random, always the same.
    """
    chosen = choose_subset(len(dataset), MAX_IMAGES)
    vectors = layout.encode(torch.from_numpy(rows[chosen]).double())
    weights = layout.weigh(vectors).numpy()  # (M, basis_size)
    sums = np.zeros((weights.shape[1], int(np.prod(dataset.images.shape[1:]))))
    for start in range(0, len(chosen), CHUNK_SIZE):
        part = slice(start, start + CHUNK_SIZE)
        pixels = dataset.images[chosen[part]].reshape(len(chosen[part]), -1)
        sums += weights[part].T @ (pixels / 127.5 - 1)
    solved = np.linalg.pinv(weights.T @ weights, hermitian=True) @ sums
    return torch.from_numpy(solved.reshape(-1, *dataset.images.shape[1:]).astype(np.float32))
