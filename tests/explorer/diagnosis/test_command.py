"""The command `diagnose`, through the main function."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.commands import diagnose as command
from explorer.diagnosis.stream import stream_diagnosis
from explorer.diagnosis.types import Diagnosis
from explorer.images import save_png
from explorer.library import CheckpointLibrary
from explorer.sampler import Sampler
from tests.explorer.conftest import DATASET
from tests.explorer.diagnosis.conftest import BLOCKS, World
from tests.explorer.test_main import run
from training.datasets import load_dataset
from training.datasets.types import DatasetOptions
from training.metrics.extractors import EXTRACTORS
from training.metrics.reference import compute_reference, save_reference


@pytest.fixture
def _has_blocks(
    folder: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put the reference of blocks beside the checkpoints, as that of the images they learned."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(EXTRACTORS, "blocks", BLOCKS)
    reference = replace(world.reference, dataset=DATASET | {"num_images": 1600})
    save_reference(folder / "references" / "blocks.safetensors", reference)


@pytest.mark.usefixtures("_has_blocks")
def test_diagnose_prints_a_table_and_writes_evidence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--num-samples", "70", "--extractor", "blocks", "--images", tmp_path / "evidence")
    assert run(folder, "diagnose", "conv", "linear", *options) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0].split() == ["conv", "linear"]
    assert "of 2,415 pairs" in captured.out
    assert re.search(
        r"\n\nlinear: (Collapsed|Too little variety|Misses modes|Cannot tell)\. ", captured.out
    )
    assert "conv: 32 of 70 samples" in captured.err
    names = {path.name for path in (tmp_path / "evidence").iterdir()}
    assert names == {
        f"{m}-{s}.png" for m in ("conv", "linear") for s in ("pairs", "flat", "strong")
    }


@pytest.mark.usefixtures("_has_blocks")
def test_ctrl_c_leaves_what_is_measured(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt_second(*arguments: Any) -> Iterator[Diagnosis]:
        yield next(stream_diagnosis(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "stream_diagnosis", interrupt_second)
    options = ("--num-samples", "70", "--extractor", "blocks")
    assert run(folder, "diagnose", "conv", *options) == 130
    captured = capsys.readouterr()
    assert "Interrupted" in captured.err
    assert "of 496 pairs" in captured.out  # 32 samples


@pytest.mark.usefixtures("_has_blocks")
def test_diagnose_prints_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--num-samples", "64", "--seed", "100", "--extractor", "blocks", "--json")
    assert run(folder, "diagnose", "conv", *options) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["model"], found["num_samples"], found["is_done"]) == ("conv", 64, True)
    assert found["duplicates"]["num_pairs"] == 64 * 63 // 2
    assert 100 <= found["duplicates"]["closest"][0]["first_seed"] < 164
    assert found["verdict"]["kind"] in ("collapsed", "low_spread", "missing_modes", "unsure")
    assert found["copying"]["source"] == "800 of 1,600 images"


def save_photos(folder: Path, images: np.ndarray) -> Path:
    """Save images, uint8 (N, H, W, C), in a new folder, and return it."""
    folder.mkdir()
    for number, image in enumerate(images):
        save_png(folder / f"{number:02}.png", image)
    return folder


@pytest.mark.usefixtures("_has_blocks")
def test_copies_are_looked_for_in_a_data_set_that_is_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = Sampler(CheckpointLibrary(folder)).sample_seeds("conv", range(1000, 1060))
    images[7] = Sampler(CheckpointLibrary(folder)).sample_seeds("conv", [3])[0]
    photos = save_photos(tmp_path / "photos", images)
    dataset = load_dataset(f"folder:{photos}", DatasetOptions(resolution=32), progress=False)
    save_reference(tmp_path / "ref", compute_reference(dataset, "blocks", progress=False))
    options = ("--num-samples", "64", "--extractor", "blocks", "--json", "--reference")
    more = (tmp_path / "ref", "--data", f"folder:{photos}", "--images", tmp_path / "evidence")
    assert run(folder, "diagnose", "conv", *options, *more) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["copying"]["source"] == "60 of 60 images"
    nearest = found["copying"]["closest"][0]
    assert (nearest["seed"], nearest["image_index"]) == (3, 7)
    assert (tmp_path / "evidence" / "conv-nearest.png").exists()


@pytest.mark.usefixtures("_has_blocks")
def test_a_data_set_is_named_as_it_was_cut_out_and_counted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The left half of the first 60 of 62 images is found again by --crop and --max-images."""
    images = Sampler(CheckpointLibrary(folder)).sample_seeds("conv", range(1000, 1062))
    photos = save_photos(tmp_path / "photos", np.concatenate([images, 255 - images], axis=2))
    options = DatasetOptions(resolution=32, crop=(0, 0, 32, 32), max_images=60)
    dataset = load_dataset(f"folder:{photos}", options, progress=False)
    np.testing.assert_array_equal(dataset.images.transpose(0, 2, 3, 1), images[:60])
    save_reference(tmp_path / "ref", compute_reference(dataset, "blocks", progress=False))
    asked = (
        "--num-samples", "64", "--extractor", "blocks", "--json", "--reference", tmp_path / "ref",
        "--data", f"folder:{photos}", "--cache-dir", tmp_path / "cache",
    )  # fmt: skip
    cut = ("--crop", "0,0,32,32", "--max-images", "60")
    assert run(folder, "diagnose", "conv", *asked, *cut) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["copying"]["source"] == "60 of 60 images"
    assert list((tmp_path / "cache" / "datasets").glob("*.npy"))
    assert run(folder, "diagnose", "conv", *asked) == 2  # other pixels than the reference's
    assert "error: " in capsys.readouterr().err


@pytest.mark.usefixtures("_has_blocks")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--crop", "0,0,9,9"), "of the set that --data names"),
        (("--num-samples", "63"), "found 63 samples, expected 64 to 50,000"),
        (("--seed", "4294967290"), "out of range"),
        (("--data", "nothing"), "no data set 'nothing'"),
        (("--reference", "nothing"), "nothing"),
    ],
)
def test_wrong_options_are_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], reason: str
) -> None:
    assert run(folder, "diagnose", "conv", "--extractor", "blocks", *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert reason in captured.err
