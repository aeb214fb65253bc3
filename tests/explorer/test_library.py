"""The library: what is in a folder, readable or why not."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from explorer.library import CheckpointLibrary, LibraryChange
from tests.explorer.conftest import DATASET, SaveModel
from training.checkpoint import load_generator, save_generator
from training.errors import CheckpointError
from training.metrics.frechet import FeatureStatistics
from training.metrics.reference import ReferenceStatistics, save_reference


def test_checkpoints_are_listed_by_name(library: CheckpointLibrary) -> None:
    assert library.names == ["conv", "grey", "linear"]
    assert library.message is None
    entry = library.get("linear")
    assert entry.header is not None
    assert entry.header.model.z_dim == 12
    assert library.load("grey")[1].model.img_channels == 1


def test_other_files_are_skipped(folder: Path) -> None:
    (folder / "references").mkdir()
    whole = (folder / "conv.safetensors").read_bytes()
    for name in (".conv.safetensors", "references/conv.safetensors", ".a.safetensors.1.tmp"):
        (folder / name).write_bytes(whole)
    (folder / "notes.txt").write_text("conv", encoding="utf-8")
    (folder / "folder.safetensors").mkdir()
    assert [entry.name for entry in CheckpointLibrary(folder).entries] == ["conv", "grey", "linear"]


@pytest.mark.parametrize("size", [0, 100, -50])
def test_a_truncated_file_becomes_an_entry_with_a_reason(folder: Path, size: int) -> None:
    whole = (folder / "conv.safetensors").read_bytes()
    (folder / "broken.safetensors").write_bytes(whole[:size])
    library = CheckpointLibrary(folder)
    assert library.names == ["conv", "grey", "linear"]
    broken = library.entries[-1]
    assert (broken.name, broken.header) == ("broken", None)
    assert broken.error is not None
    assert broken.error.startswith("broken.safetensors is not a whole safetensors file")
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        library.load("broken")


def test_an_unknown_name_is_refused_with_the_known_ones(library: CheckpointLibrary) -> None:
    with pytest.raises(CheckpointError, match=r"no model '\.\./conv' .* choose one of conv, grey"):
        library.get("../conv")


def test_a_rescan_says_what_changed(library: CheckpointLibrary, save_model: SaveModel) -> None:
    folder = library.folder
    assert not library.rescan()
    save_model(folder, "another", "linear")
    (folder / "conv.safetensors").unlink()
    os.utime(folder / "grey.safetensors", ns=(5, 5))
    change = library.rescan()
    assert change == LibraryChange(added=("another",), removed=("conv",), changed=("grey",))
    assert change
    assert library.names == ["another", "grey", "linear"]
    assert library.rescan() == LibraryChange()


def test_a_damaged_file_that_is_replaced_becomes_readable(folder: Path) -> None:
    path = folder / "conv.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    library = CheckpointLibrary(folder)
    assert library.names == ["grey", "linear"]
    path.write_bytes(whole)
    assert library.rescan().changed == ("conv",)
    assert library.names == ["conv", "grey", "linear"]


def test_a_missing_folder_is_an_empty_library(tmp_path: Path) -> None:
    library = CheckpointLibrary(tmp_path / "nowhere")
    assert library.entries == []
    assert library.message is not None
    assert "no checkpoint folder" in library.message
    with pytest.raises(CheckpointError, match="no checkpoint folder"):
        library.get("conv")


def test_an_empty_or_broken_folder_says_so(tmp_path: Path) -> None:
    library = CheckpointLibrary(tmp_path)
    assert library.message is not None
    assert "no .safetensors files" in library.message
    (tmp_path / "a.safetensors").write_bytes(b"no")
    library.rescan()
    assert library.message is not None
    assert "None of the checkpoints" in library.message


def test_names_come_with_the_best_score_first(library: CheckpointLibrary) -> None:
    for name, score in (("grey", 30.0), ("linear", 20.0)):
        path = library.folder / f"{name}.safetensors"
        generator, header = load_generator(path)
        history = [{"step": 1, "score": 40.0}, {"step": 2, "score": score}]
        save_generator(path, generator, dataclasses.replace(header, history=history))
    library.rescan()
    assert library.names == ["linear", "grey", "conv"]


def test_the_data_set_of_most_models_comes_first_as_a_whole(library: CheckpointLibrary) -> None:
    """A score of digits says nothing beside one of faces."""
    for name, data, score in (("conv", "faces", 70.0), ("grey", "digits", 12.0),
                              ("linear", "faces", 90.0)):  # fmt: skip
        path = library.folder / f"{name}.safetensors"
        generator, header = load_generator(path)
        scored = {"dataset": {"fingerprint": data}, "history": [{"step": 1, "score": score}]}
        save_generator(path, generator, dataclasses.replace(header, **scored))
    library.rescan()
    assert library.names == ["conv", "linear", "grey"]


def test_the_fingerprint_follows_the_weights_and_not_the_header(
    library: CheckpointLibrary, save_model: SaveModel
) -> None:
    path = library.folder / "conv.safetensors"
    first = library.get_fingerprint("conv")
    assert library.get_fingerprint("linear") != first
    generator, header = load_generator(path)
    scored = dataclasses.replace(header, history=[{"step": 1, "score": 2.0}])
    save_generator(path, generator, scored)
    os.utime(path, ns=(1, 1))
    assert library.get_fingerprint("conv") == first
    save_model(library.folder, "conv", seed=1)
    os.utime(path, ns=(2, 2))
    assert library.get_fingerprint("conv") != first


def test_references_are_found_by_data_set_and_extractor(
    library: CheckpointLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    entry = library.get("conv")
    assert library.find_reference(entry, "colours") is None
    statistics = FeatureStatistics(np.zeros(2), np.eye(2), 100)
    other = ReferenceStatistics(DATASET | {"fingerprint": "x"}, "colours", statistics, ((64, 1.0),))
    right = ReferenceStatistics(DATASET, "colours", statistics, ((64, 1.0),))
    save_reference(library.get_references_folder() / "a.safetensors", other)
    assert library.find_reference(entry, "colours") is None
    save_reference(library.get_references_folder() / "b.safetensors", right)
    found = library.find_reference(entry, "colours")
    assert found is not None
    assert found.dataset == DATASET
    assert library.find_reference(entry, "inception") is None


def test_a_model_gets_the_reference_that_knows_its_labels(
    library: CheckpointLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one data set's images two tables of labels may be known, and a model for each."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    statistics = FeatureStatistics(np.zeros(2), np.eye(2), 100)
    for name, column in (("conv", "age"), ("linear", "smile")):
        dataset = DATASET | {"label_fingerprints": {column: "5e"}}
        reference = ReferenceStatistics(dataset, "colours", statistics, ((64, 1.0),))
        save_reference(library.get_references_folder() / f"{column}.safetensors", reference)
        path = library.get(name).path
        generator, header = load_generator(path)
        save_generator(path, generator, dataclasses.replace(header, dataset=dataset))
    library.rescan()
    for name, column in (("conv", "age"), ("linear", "smile")):
        found = library.find_reference(library.get(name), "colours")
        assert found is not None
        assert list(found.dataset["label_fingerprints"]) == [column]
