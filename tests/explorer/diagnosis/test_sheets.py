"""The evidence as pictures, and the table of the command line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.diagnosis.request import DiagnosisOptions
from explorer.diagnosis.sheets import NUM_STEPS, walk, write_sheets
from explorer.diagnosis.stream import stream_diagnosis
from explorer.diagnosis.table import format_diagnoses
from explorer.diagnosis.types import Diagnosis, DirectionCurve
from explorer.images import GRID_GAP
from explorer.sampler import Sampler
from tests.explorer.conftest import SaveModel
from tests.explorer.diagnosis.conftest import Table, World, choose
from training.errors import CheckpointError
from training.metrics.sensitivity import make_direction

SIZE = 32


@pytest.fixture
def diagnosis(
    world: World, sampler: Sampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Diagnosis:
    """Return a diagnosis of the model conv, with features that are not its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    table = Table(
        choose(world.held_out, 64, 0),
        model="conv",
        fingerprint=sampler.library.get_fingerprint("conv"),
    )
    *_, last = stream_diagnosis(sampler, table, world.reference, DiagnosisOptions(64))
    return last


def read_cell(path: Path, row: int, column: int, size: int = SIZE) -> np.ndarray:
    with Image.open(path) as image:
        sheet = np.asarray(image)
    top, left = row * (size + GRID_GAP), column * (size + GRID_GAP)
    return sheet[top : top + size, left : left + size]


def test_sheets_show_what_the_diagnosis_names(
    diagnosis: Diagnosis, sampler: Sampler, tmp_path: Path
) -> None:
    paths = write_sheets(tmp_path / "new", diagnosis, sampler, None)
    assert [path.name for path in paths] == ["conv-pairs.png", "conv-flat.png", "conv-strong.png"]
    assert diagnosis.duplicates is not None
    for row, pair in enumerate(diagnosis.duplicates.closest):
        expected = sampler.sample_seeds("conv", [pair.first_seed, pair.second_seed])
        assert np.array_equal(read_cell(paths[0], row, 0), expected[0])
        assert np.array_equal(read_cell(paths[0], row, 1), expected[1])
    middle = read_cell(paths[1], 0, NUM_STEPS // 2)
    assert np.array_equal(middle, sampler.sample_seeds("conv", [0])[0])


def test_no_sheet_is_of_other_weights_than_the_diagnosis(
    diagnosis: Diagnosis, sampler: Sampler, save_model: SaveModel, tmp_path: Path
) -> None:
    os.utime(save_model(sampler.library.folder, "conv", seed=1), ns=(1, 1))
    with pytest.raises(CheckpointError, match="conv has been written again since it was diagnosed"):
        write_sheets(tmp_path / "new", diagnosis, sampler, None)
    assert not (tmp_path / "new").exists()


def test_real_images_stand_beside_the_samples_nearest_to_them(
    diagnosis: Diagnosis, sampler: Sampler, world: World, tmp_path: Path
) -> None:
    # The data set's images are of another size than the model's: a grid needs one.
    images = world.dataset.images.repeat(4, axis=2).repeat(4, axis=3)
    dataset = type(world.dataset)("n", "t", "", images, "f")
    path = write_sheets(tmp_path, diagnosis, sampler, dataset)[-1]
    assert path.name == "conv-nearest.png"
    assert diagnosis.copying is not None
    nearest = diagnosis.copying.closest[0]
    assert np.array_equal(read_cell(path, 0, 0), sampler.sample_seeds("conv", [nearest.seed])[0])
    assert np.array_equal(read_cell(path, 0, 1), images[nearest.image_index].transpose(1, 2, 0))


def test_a_walk_goes_along_the_direction(sampler: Sampler) -> None:
    images = walk(sampler, "conv", 3, DirectionCurve(77, ()), 2.0)
    z = sampler.make_latents("conv", [3])
    direction = make_direction(77, z.shape[1])
    assert np.array_equal(images[-1], sampler.sample_images("conv", z + 2 * direction)[0])
    assert np.array_equal(images[0], sampler.sample_images("conv", z - 2 * direction)[0])


def test_the_table_has_a_column_for_each_model_and_the_verdicts(diagnosis: Diagnosis) -> None:
    text = format_diagnoses([diagnosis, diagnosis])
    table, *verdicts = text.split("\n\n")
    rows = table.splitlines()
    assert rows[0].split() == ["conv", "conv"]
    assert any(
        row.startswith("near-duplicates") and row.count("of 2,016 pairs") == 2 for row in rows
    )
    assert any(row.startswith("label shape") and "classifier right" in row for row in rows)
    assert any(row.startswith("searched for copies") and "800 of 1,600" in row for row in rows)
    assert len(verdicts) == 2
    assert verdicts[0].startswith("conv: Cannot tell. ")
