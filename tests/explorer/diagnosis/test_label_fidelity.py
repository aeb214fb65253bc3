"""Labels read off samples while a diagnosis runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from explorer.diagnosis.label_fidelity import explain_labels, stream_fidelity
from explorer.diagnosis.request import DiagnosisOptions
from explorer.diagnosis.stream import stream_diagnosis
from explorer.label_reading import ReaderShelf, read_rows
from explorer.library import CheckpointLibrary
from explorer.sampler import Sampler
from tests.explorer.diagnosis.conftest import Table, World
from tests.explorer.labelled import LAYOUT, save_labelled_model, save_untrained_reader
from tests.explorer.ui.live_app import save_small_checkpoint


@pytest.fixture
def sampler(tmp_path: Path) -> Sampler:
    """Return the sampler of faces, with labels and a reader, and plain, without."""
    save_labelled_model(tmp_path)
    save_untrained_reader(tmp_path)
    save_small_checkpoint(tmp_path, "plain", "dcgan", 8)
    return Sampler(CheckpointLibrary(tmp_path))


def test_what_is_known_grows_and_ends_with_all_samples(sampler: Sampler) -> None:
    reader = ReaderShelf(sampler.library).get("faces")
    states = list(stream_fidelity(sampler, "faces", reader, base_seed=5, num_samples=100))
    assert [state[0].num_samples for state in states] == [64, 100]
    hair, age = states[-1]
    seeds = range(5, 105)
    asked = LAYOUT.draw(seeds).numpy()
    read = read_rows(reader, LAYOUT, sampler.sample_seeds("faces", seeds))
    counts = [[int(((asked[:, 0] == a) & (read[:, 0] == b)).sum()) for b in (0, 1)] for a in (0, 1)]
    assert hair.confusion is not None
    assert hair.confusion.tolist() == counts
    assert hair.value == pytest.approx((counts[0][0] + counts[1][1]) / 100)
    assert hair.values == ("short", "long")
    assert (hair.real_value, hair.num_real) == (0.9, 50)
    assert age.value == pytest.approx(spearmanr(asked[:, 1], read[:, 1]).statistic)
    assert age.error == pytest.approx(np.abs(asked[:, 1] - read[:, 1]).mean(), rel=1e-5)
    assert (age.real_error, age.confusion) == (8.0, None)
    assert hair.to_dict()["confusion"] == counts


def test_a_model_without_labels_needs_no_words(sampler: Sampler) -> None:
    assert explain_labels(sampler, "plain", None) is None
    assert explain_labels(None, "faces", None) is None
    assert "python -m training reader" in str(explain_labels(sampler, "faces", None))
    reader = ReaderShelf(sampler.library).find("faces")
    assert explain_labels(sampler, "faces", reader) == "Labels are read as samples come in."
    assert ReaderShelf(sampler.library).find("plain") is None


def test_labels_are_read_while_samples_come_in(sampler: Sampler, world: World) -> None:
    reader = ReaderShelf(sampler.library).get("faces")
    table = Table(world.held_out[:600], model="faces")
    options = DiagnosisOptions(600, has_sensitivity=False)
    states = list(stream_diagnosis(sampler, table, world.reference, options, None, reader))
    first = next(state for state in states if state.labels)
    assert (first.labels[0].num_samples, first.stage) == (64, "Reading the labels of 64 samples")
    # It follows the first samples, whatever their number: nothing else is measured to its end.
    assert states.index(first) == 1
    *_, wanted = stream_fidelity(sampler, "faces", reader, base_seed=0, num_samples=600)
    assert [one.to_dict() for one in states[-1].labels] == [one.to_dict() for one in wanted]
    assert states[-1].is_done
