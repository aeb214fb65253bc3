"""Labels read off samples while a diagnosis runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from explorer.diagnosis.label_fidelity import explain_labels, stream_fidelity
from explorer.label_reading import ReaderShelf, read_rows
from explorer.library import CheckpointLibrary
from explorer.sampler import Sampler
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
    assert explain_labels(sampler, "faces", reader) == "Labels are read when all else is measured."
    assert ReaderShelf(sampler.library).find("plain") is None
