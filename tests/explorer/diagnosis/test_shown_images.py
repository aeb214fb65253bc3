"""Which real images a page may have: those that a diagnosis has named."""

from __future__ import annotations

import pytest

from explorer.diagnosis.shown_images import ShownImages
from training.errors import ConfigError


def test_only_named_images_of_the_same_checkpoint_pass() -> None:
    """An image passes if a diagnosis of that checkpoint named it, whatever others named."""
    shown = ShownImages()
    shown.add("a", [3, 7])
    shown.add("a", [9])
    shown.check("a", [9, 3])
    with pytest.raises(ConfigError, match="No diagnosis has shown real image 4"):
        shown.check("a", [3, 4])
    with pytest.raises(ConfigError, match="real image 3"):
        shown.check("b", [3])


def test_the_images_and_checkpoints_named_longest_ago_make_room() -> None:
    """Of two images and two checkpoints that are kept, those named again stay."""
    shown = ShownImages(max_images=2, max_checkpoints=2)
    shown.add("a", [1, 2])
    shown.add("a", [1])
    shown.add("a", [3])
    shown.check("a", [1, 3])
    with pytest.raises(ConfigError, match="real image 2"):
        shown.check("a", [2])
    shown.add("b", [5])
    shown.add("a", [3])
    shown.add("c", [6])
    shown.check("a", [3])
    with pytest.raises(ConfigError, match="real image 5"):
        shown.check("b", [5])
