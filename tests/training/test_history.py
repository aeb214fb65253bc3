"""metrics.jsonl: rows written, read back, and cut short by a crash."""

import pytest

from training.history import HistoryWriter, read_history, select_scores


def test_rows_come_back_and_numbers_that_are_not_finite_become_null(tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    writer = HistoryWriter(path)
    writer.write({"step": 1, "loss_d": 0.5})
    writer.write({"step": 2, "loss_d": float("nan"), "score": 7.5})
    assert read_history(path)[0] == {"step": 1, "loss_d": 0.5}  # flushed before it is closed
    writer.close()
    rows = read_history(path)
    assert rows[1] == {"step": 2, "loss_d": None, "score": 7.5}
    assert select_scores(rows) == [rows[1]]


def test_writing_appends(tmp_path):
    for step in (1, 2):
        writer = HistoryWriter(tmp_path / "m.jsonl")
        writer.write({"step": step})
        writer.close()
    assert [row["step"] for row in read_history(tmp_path / "m.jsonl")] == [1, 2]


def test_a_line_cut_off_at_the_end_is_left_out_but_not_one_in_the_middle(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 1}\n{"st', encoding="utf-8")
    assert read_history(path) == [{"step": 1}]
    path.write_text('{"st\n{"step": 1}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="Unterminated"):
        read_history(path)


def test_no_file_is_no_rows(tmp_path):
    assert read_history(tmp_path / "none.jsonl") == []
