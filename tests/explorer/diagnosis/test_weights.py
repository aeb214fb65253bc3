"""What a diagnosis asks the sampler for: of one generator, and behind everybody else's images."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.diagnosis.request import DiagnosisOptions
from explorer.diagnosis.sensitivity import stream_sensitivity
from explorer.diagnosis.stream import stream_diagnosis
from explorer.diagnosis.types import Diagnosis
from explorer.feature_bank import FeatureBank
from explorer.label_reading import ReaderShelf
from explorer.library import CheckpointLibrary
from explorer.priority import NICENESS
from explorer.sampler import Sampler
from tests.explorer.conftest import SaveModel
from tests.explorer.diagnosis.conftest import World, load_blocks
from tests.explorer.labelled import save_labelled_model, save_untrained_reader
from training.checkpoint import load_generator, save_generator
from training.errors import MetricError


def start(
    world: World, sampler: Sampler, model: str, options: DiagnosisOptions
) -> Iterator[Diagnosis]:
    """Start the diagnosis of a model's own samples."""
    samples = FeatureBank(sampler).open(model, load_blocks())
    reader = ReaderShelf(sampler.library).find(model)
    return stream_diagnosis(sampler, samples, world.reference, options, None, reader)


def test_a_diagnosis_names_the_weights_it_is_of(world: World, sampler: Sampler) -> None:
    *_, last = start(world, sampler, "conv", DiagnosisOptions(64))
    assert last.checkpoint == sampler.library.get_fingerprint("conv")
    assert last.to_dict()["checkpoint"] == last.checkpoint


def test_a_file_replaced_before_the_last_moves_in_z_ends_the_diagnosis(
    world: World, sampler: Sampler, save_model: SaveModel
) -> None:
    updates = start(world, sampler, "conv", DiagnosisOptions(64))
    for update in updates:
        if update.num_samples == 64 and update.sensitivity is not None:
            break  # all features are there: only moves in z ask the sampler from here on
    assert len(update.sensitivity.base_seeds) < 8  # type: ignore[union-attr]
    os.utime(save_model(sampler.library.folder, "conv", seed=1), ns=(1, 1))
    with pytest.raises(MetricError, match="conv was replaced by another file"):
        list(updates)


def test_a_file_replaced_before_the_last_labels_are_read_ends_the_diagnosis(
    world: World, tmp_path: Path
) -> None:
    path = save_labelled_model(tmp_path)
    save_untrained_reader(tmp_path)
    sampler = Sampler(CheckpointLibrary(tmp_path))
    updates = start(world, sampler, "faces", DiagnosisOptions(192, has_sensitivity=False))
    for update in updates:
        if update.num_samples == 192 and update.labels:
            break
    assert update.labels[0].num_samples < 192
    generator, header = load_generator(path)
    generator.get_buffer("templates").neg_()
    save_generator(path, generator, header)
    os.utime(path, ns=(1, 1))
    with pytest.raises(MetricError, match="faces was replaced by another file"):
        list(updates)


def test_moves_in_z_are_made_behind_what_sliders_ask_for(sampler: Sampler) -> None:
    before = {thread.native_id for thread in threading.enumerate()}
    next(stream_sensitivity(sampler, "conv", 0))
    started = [thread for thread in threading.enumerate() if thread.native_id not in before]
    assert started  # those that were there before have normal priority
    if sys.platform == "linux":
        for thread in started:
            assert os.getpriority(os.PRIO_PROCESS, thread.native_id or 0) == NICENESS
