"""metrics.jsonl: rows written, read back, cut short by a crash, and damaged."""

import pytest

from training.history import HistoryWriter, read_history, select_scores, truncate_history


@pytest.fixture
def path(tmp_path):
    """Return the path of a metrics file that is not there yet."""
    return tmp_path / "run" / "metrics.jsonl"


def write_rows(path, *rows):
    writer = HistoryWriter(path)
    for row in rows:
        writer.write(row)
    writer.close()


def test_rows_come_back_and_numbers_that_are_not_finite_become_null(path):
    writer = HistoryWriter(path)
    writer.write({"step": 1, "loss_d": 0.5})
    writer.write({"step": 2, "loss_d": float("nan"), "score": 7.5})
    assert read_history(path)[0] == {"step": 1, "loss_d": 0.5}  # flushed before it is closed
    writer.sync()
    writer.close()
    rows = read_history(path)
    assert rows[1] == {"step": 2, "loss_d": None, "score": 7.5}
    assert select_scores(rows) == [rows[1]]


def test_numbers_deep_in_a_row_become_null_too(path):
    write_rows(path, {"step": 1, "interval": (1.0, float("inf")), "labels": [{"a": float("nan")}]})
    assert "NaN" not in path.read_text(encoding="utf-8")
    assert read_history(path) == [{"step": 1, "interval": [1.0, None], "labels": [{"a": None}]}]


def test_writing_appends(path):
    for step in (1, 2):
        write_rows(path, {"step": step})
    assert [row["step"] for row in read_history(path)] == [1, 2]


def test_a_line_cut_off_at_the_end_is_no_damage(path, capsys):
    write_rows(path, {"step": 1})
    with path.open("a") as file:
        file.write('{"st')
    assert read_history(path) == [{"step": 1}]
    truncate_history(path, 5)
    assert path.read_text() == '{"step": 1}\n'
    assert capsys.readouterr().err == ""
    assert list(path.parent.iterdir()) == [path]


def test_damaged_lines_are_dropped_named_and_kept_in_a_copy(path, capsys):
    path.parent.mkdir()
    damaged = b'{"step": 1}\n{"st\n{"step": 2}\n\xff\x00\n[3]\n{"step": "4"}\n{"step": 5}\n'
    path.write_bytes(damaged)
    assert [row["step"] for row in read_history(path)] == [1, 2, 5]
    assert path.read_bytes() == damaged  # reading only looks
    truncate_history(path, 9)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 5}\n'
    warning = capsys.readouterr().err
    assert "metrics.jsonl: lines 2, 4, 5, 6 cannot be read and will be dropped" in warning
    copy = path.with_name("metrics.jsonl.damaged")
    assert copy.read_bytes() == damaged
    # A second damage does not overwrite the copy of the first.
    path.write_bytes(b'{"step": 1}\nx\n')
    truncate_history(path, 9)
    assert "line 2 cannot be read" in capsys.readouterr().err
    assert copy.read_bytes() == damaged
    assert path.with_name("metrics.jsonl.damaged-2").read_bytes() == b'{"step": 1}\nx\n'


def test_rows_of_steps_that_were_not_saved_are_dropped(path):
    loss = {"step": 4, "loss_d": 1.0, "images_per_second": 9.0}
    rewind, score = {"step": 4, "event": "rewind"}, {"step": 4, "score": 3.0}
    rows = [{**loss, "step": 2}, loss, rewind, score, {**loss, "step": 5}]
    write_rows(path, *rows)
    truncate_history(path, 4)
    assert read_history(path) == rows[:4]
    # The mean of step 4 was over steps that go on to count in the next row.
    truncate_history(path, 4, has_open_losses=True)
    assert read_history(path) == [rows[0], rewind, score]


def test_no_file_is_no_rows(path):
    assert read_history(path) == []
    assert read_history(path.parent.parent) == []


def test_only_numbers_are_scores():
    rows = [{"step": 1, "score": "7"}, {"step": 2, "score": None}, {"step": 3, "score": 7}]
    assert select_scores(rows) == rows[2:]
