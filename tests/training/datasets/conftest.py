"""Small image folders, made by the tests themselves."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.datasets import DatasetOptions

MakeOptions = Callable[..., DatasetOptions]


@pytest.fixture
def make_options(tmp_path: Path) -> MakeOptions:
    """Build options of 8x8 pixels with a cache of the test's own."""

    def make(**changes) -> DatasetOptions:
        return DatasetOptions(**{"resolution": 8, "cache_dir": tmp_path / "cache", **changes})

    return make


@pytest.fixture
def write_solid() -> Callable[[Path, int], None]:
    """Write an 8x8 image of one grey."""

    def write(path: Path, grey: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(path)

    return write
