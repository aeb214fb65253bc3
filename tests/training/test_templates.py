"""Templates: the classes' mean images, and straight lines between a number's knots."""

import numpy as np
import torch

from training.datasets import ImageDataset
from training.labels import ClassLabel, LabelLayout, NumberLabel
from training.templates import fit_templates


def make_dataset(images):
    return ImageDataset("any", "any", "any", images, "any")


def test_of_one_label_they_are_the_mean_images():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 3, 8, 8), np.uint8)
    rows = np.arange(40, dtype=np.float32)[:, None] % 2
    layout = LabelLayout((ClassLabel("side", ("left", "right"), (0.5, 0.5)),))
    found = fit_templates(make_dataset(images), layout, rows)
    expected = np.stack([images[0::2].mean(axis=0), images[1::2].mean(axis=0)]) / 127.5 - 1
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_of_several_labels_their_mixture_is_nearest_to_each_image():
    """Brightness that a class and a number make together is told apart again."""
    rng = np.random.default_rng(1)
    kind, age = rng.integers(0, 2, 600), rng.uniform(0, 100, 600)
    levels = 40 + 60 * kind + age  # 40 to 200, rounded below
    images = np.broadcast_to(levels[:, None, None, None], (600, 1, 8, 8)).round().astype(np.uint8)
    layout = LabelLayout(
        (ClassLabel("kind", ("a", "b"), (0.5, 0.5)), NumberLabel("age", (0.0, 100.0)))
    )
    rows = np.stack([kind, age], axis=1).astype(np.float32)
    templates = fit_templates(make_dataset(images), layout, rows)
    asked = torch.tensor([[0.0, 0.0], [1.0, 30.0], [1.0, 100.0]])
    mixed = torch.einsum("nb,bchw->nchw", layout.weigh(layout.encode(asked)), templates)
    found = (mixed[:, 0, 0, 0] + 1) * 127.5
    np.testing.assert_allclose(found.numpy(), [40, 130, 200], atol=0.5)
