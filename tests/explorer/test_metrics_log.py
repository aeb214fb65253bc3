"""metrics.jsonl while it grows, is cut, damaged and written anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.metrics_log import MAX_LINE_BYTES, TAIL_BYTES, MetricsLog, Rewind
from training.errors import DivergenceError
from training.history import HistoryWriter
from training.progress import Progress
from training.rewind import describe_rewind


def make_line(step: int, **values: Any) -> bytes:
    return json.dumps({"step": step, "loss_g": step / 2, **values}).encode() + b"\n"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def get_steps(log: MetricsLog) -> list[float]:
    return log.losses.get_column("step").tolist()


@pytest.fixture
def log(tmp_path: Path) -> MetricsLog:
    return MetricsLog(tmp_path / "metrics.jsonl")


def test_no_file_is_no_rows_until_there_is_one(log: MetricsLog) -> None:
    log.refresh()
    assert (len(log.losses), log.num_damaged) == (0, 0)
    assert log.losses.get_last("loss_g") is None
    log.path.write_bytes(make_line(1))
    log.refresh()
    assert get_steps(log) == [1]
    log.path.unlink()
    log.refresh()
    assert get_steps(log) == []


def test_rows_of_the_trainers_writer_come_back(log: MetricsLog) -> None:
    writer = HistoryWriter(log.path)
    writer.write({"step": 20, "images_seen": 640, "loss_g": 0.5, "loss_d": float("nan")})
    writer.write({"step": 40, "images_seen": 1280, "loss_g": 0.25, "loss_d": 2.0})
    score = {"score": 7.5, "score_name": "FD-Tiny", "interval": [7.0, 8.0], "noise_floor": 1.5}
    writer.write({"step": 40, "images_seen": 1280, **score, "loss_g": 0.25})
    writer.close()
    log.refresh()
    steps, values = log.losses.get_curve("loss_g")
    assert (steps.tolist(), values.tolist()) == ([20, 40], [0.5, 0.25])
    assert log.losses.get_curve("loss_d")[0].tolist() == [40]
    assert log.losses.get_curve("nothing")[0].tolist() == []
    keys = ("step", "score", "low", "high", "noise_floor")
    assert [log.scores.get_last(key) for key in keys] == [40, 7.5, 7.0, 8.0, 1.5]
    assert (log.score_name, log.num_damaged) == ("FD-Tiny", 0)


def test_what_happened_at_a_step_is_no_point_of_a_curve(log: MetricsLog) -> None:
    error = DivergenceError("The loss of the generator became inf at step 7", "generator", 7)
    rates = {"learning_rate_g": 1e-4, "learning_rate_d": 1e-4}
    writer = HistoryWriter(log.path)
    writer.write({"step": 4, "loss_g": 0.5})
    writer.write(describe_rewind(error, Progress(4, 128, 2.0), 1, rates))
    writer.write({"step": 6, "loss_g": 0.25})
    writer.close()
    log.refresh()
    assert (log.losses.names, get_steps(log)) == (["step", "loss_g"], [4, 6])
    assert log.rewinds == (Rewind(4, 1, error.finding),)
    append(log.path, make_line(8, event="of a later version"))
    log.refresh()
    assert (get_steps(log), len(log.rewinds), log.num_damaged) == ([4, 6], 1, 0)


def test_only_a_few_rewinds_are_kept_and_of_odd_ones_a_sentence(log: MetricsLog) -> None:
    rows = ({"event": "rewind"}, {"event": "rewind", "num_rewinds": "two", "reason": "x" * 999})
    log.path.write_bytes(b"".join(make_line(step, **row) for step, row in enumerate(rows, 1)))
    log.refresh()
    assert log.rewinds == (Rewind(1, 1, "A number was not finite"), Rewind(2, 2, "x" * 200))
    append(log.path, b"".join(make_line(step, event="rewind") for step in range(3, 100)))
    log.refresh()
    assert [rewind.step for rewind in log.rewinds] == [97, 98, 99]
    log.path.write_bytes(make_line(1))
    log.refresh()
    assert log.rewinds == ()


def test_half_a_line_waits_for_its_other_half(log: MetricsLog) -> None:
    line = make_line(2)
    log.path.write_bytes(make_line(1) + line[:9])
    log.refresh()
    assert (get_steps(log), log.num_damaged) == ([1], 0)
    append(log.path, line[9:])
    log.refresh()
    assert (get_steps(log), log.num_damaged) == ([1, 2], 0)


@pytest.mark.parametrize(
    "line",
    [
        b'{"step": 2, "loss_g": 1', b"\xff\xfe\x00", b"[1, 2]", b'"text"', b"7", b"[" * 5000,
        b'{"loss_g": 1.0}', b'{"step": -1}', b'{"step": true}', b'{"step": "2"}', b'{"step": null}',
        b'{"step": NaN}', b'{"step": 1' + b"0" * 400 + b"}",
    ],
)  # fmt: skip
def test_a_damaged_line_is_counted_and_the_others_are_read(log: MetricsLog, line: bytes) -> None:
    log.path.write_bytes(make_line(1) + line + b"\n" + make_line(3))
    log.refresh()
    assert (get_steps(log), log.num_damaged) == ([1, 3], 1)


def test_an_endless_line_is_one_damaged_line_and_is_not_kept(log: MetricsLog) -> None:
    log.path.write_bytes(make_line(1) + b"x" * (3 * MAX_LINE_BYTES))
    log.refresh()
    append(log.path, b"x" * 10 + b"\n" + make_line(2))
    log.refresh()
    assert (get_steps(log), log.num_damaged) == ([1, 2], 1)


def test_a_value_that_is_no_number_is_a_gap(log: MetricsLog) -> None:
    values = b'"loss_g": "high", "loss_d": 1e999, "penalty": [1], "d_real": true, "d_fake": 0.5'
    log.path.write_bytes(b'{"step": 1, ' + values + b"}\n")
    log.refresh()
    assert log.losses.names == ["step", "d_fake"]


def test_only_what_is_new_is_read(log: MetricsLog) -> None:
    log.path.write_bytes(make_line(1, loss_d=5) + b"".join(make_line(s) for s in range(2, 60)))
    log.refresh()
    assert log.path.stat().st_size > 2 * TAIL_BYTES
    # The first row changes in place, which a second reading of it would see.
    with log.path.open("r+b") as file:
        file.write(make_line(1, loss_d=6))
    append(log.path, make_line(60))
    log.refresh()
    assert get_steps(log) == list(range(1, 61))
    assert log.losses.get_curve("loss_d")[1].tolist() == [5]


def test_a_resume_that_cuts_the_file_and_goes_on_replaces_the_later_rows(log: MetricsLog) -> None:
    log.path.write_bytes(b"".join(make_line(step) for step in range(1, 11)))
    log.refresh()
    kept = b"".join(make_line(step) for step in range(1, 6))
    replacement = log.path.with_name("new")
    replacement.write_bytes(kept)
    replacement.replace(log.path)
    log.refresh()
    assert get_steps(log) == [1, 2, 3, 4, 5]
    # As long again as before, and longer, before the next look.
    append(log.path, b"".join(make_line(step, loss_g=-1) for step in range(6, 15)))
    log.refresh()
    assert get_steps(log) == list(range(1, 15))
    assert log.losses.get_curve("loss_g")[1][5:].tolist() == [-1] * 9


def test_a_file_rewritten_to_more_than_its_old_length_is_read_anew(log: MetricsLog) -> None:
    log.path.write_bytes(make_line(1) + b"broken\n" + make_line(2))
    log.refresh()
    assert log.num_damaged == 1
    log.path.write_bytes(b"".join(make_line(step, loss_g=9) for step in range(1, 31)))
    log.refresh()
    assert (get_steps(log), log.num_damaged) == (list(range(1, 31)), 0)
    assert set(log.losses.get_curve("loss_g")[1]) == {9.0}


def test_an_earlier_step_that_is_appended_drops_the_later_ones(log: MetricsLog) -> None:
    log.path.write_bytes(b"".join(make_line(step) for step in (1, 2, 3, 4)))
    append(log.path, make_line(3, loss_g=8))
    log.refresh()
    assert get_steps(log) == [1, 2, 3, 3]
    assert log.losses.get_last("loss_g") == 8


def test_a_column_that_begins_late_has_gaps_before(log: MetricsLog) -> None:
    log.path.write_bytes(make_line(1) + make_line(2, memory_mb=100) + make_line(3))
    log.refresh()
    np.testing.assert_array_equal(log.losses.get_column("memory_mb"), [np.nan, 100, np.nan])


def test_a_copy_does_not_grow(log: MetricsLog) -> None:
    log.path.write_bytes(make_line(1))
    log.refresh()
    copy = log.losses.copy()
    append(log.path, make_line(2))
    log.refresh()
    assert (len(copy), len(log.losses)) == (1, 2)


def test_label_fidelities_have_columns_of_their_own(log: MetricsLog) -> None:
    labels = [
        {"label": "hair", "fidelity": {"value": 0.75, "num_images": 9}},
        {"label": "age", "fidelity": {"value": -0.5, "num_images": 9, "error": 3.0}},
        {"label": "damaged", "fidelity": "high"},
        "damaged",
    ]
    log.path.write_bytes(make_line(1, score=9.0) + make_line(2, score=8.0, labels=labels))
    log.refresh()
    steps, hair = log.scores.get_curve("fidelity of hair")
    assert (steps.tolist(), hair.tolist()) == ([2], [0.75])
    assert log.scores.get_curve("fidelity of age")[1].tolist() == [-0.5]
    assert "fidelity of damaged" not in log.scores.names
    assert log.num_damaged == 0


def test_a_score_that_comes_after_losses_of_later_steps_drops_nothing(log: MetricsLog) -> None:
    append(log.path, make_line(20) + make_line(40) + make_line(60))
    log.refresh()
    append(log.path, make_line(40, score=7.5) + make_line(80))
    log.refresh()
    assert get_steps(log) == [20, 40, 60, 80]
    assert log.scores.get_column("step").tolist() == [40]
    append(log.path, make_line(100) + make_line(80, score=6.5))
    log.refresh()
    assert get_steps(log) == [20, 40, 60, 80, 100]
    assert log.scores.get_column("score").tolist() == [7.5, 6.5]
