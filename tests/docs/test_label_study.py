"""The study of labels: its rows, what is missing, and the table from written lines."""

import dataclasses

import pytest

from docs.label_study import KIMG, SETTINGS, build_config, get_setting, is_of, list_missing
from docs.label_study_report import Line, Row, format_results, format_table

ROWS = [Row(key, title, changes) for key, title, changes in SETTINGS]


def make_line(row, seed, fidelity=0.5, predicted=0.9, diversity=0.8, **changes):
    label = {
        "label": "digit",
        "fidelity": {"value": fidelity, "num_images": 2000},
        "reader_on_real": {"value": 0.992, "num_images": 6000},
        "predictor": {"value": predicted, "num_images": 2000},
        "hidden_information": predicted - fidelity,
        "diversity": {"mean": diversity, "lowest": diversity / 2, "lowest_group": "1"},
        "shares": [fidelity - 0.1, fidelity + 0.1],
    }
    score = {"score": 40.0, "score_name": "FD", "num_samples": 2000, "noise_floor": 3.0}
    line = Line(row.key, seed, get_setting(row, KIMG), 1500, 4.0, "a CPU", score, [label])
    return dataclasses.replace(line, **changes)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_every_row_is_a_training_that_can_be(row):
    config = build_config(row, 1, KIMG)
    assert (config.model, config.seed, config.kimg) == ("label_gan", 1, KIMG)
    for key, value in row.changes.items():
        assert getattr(config, key) == value


def test_rows_differ_by_what_they_say():
    settings = [tuple(sorted(get_setting(row, KIMG).items())) for row in ROWS]
    assert len(set(settings)) == len(ROWS)


def test_all_rows_of_a_seed_come_before_the_next_and_done_ones_are_left_out():
    rows = ROWS[:2]
    done = [make_line(rows[0], 0)]
    missing = [(row.key, seed) for row, seed in list_missing(rows, [0, 1], KIMG, done)]
    assert missing == [(rows[1].key, 0), (rows[0].key, 1), (rows[1].key, 1)]


def test_a_line_of_other_options_is_of_another_run():
    line = make_line(ROWS[0], 0)
    assert is_of(line, ROWS, KIMG)
    assert not is_of(line, ROWS, KIMG + 1)
    other = dataclasses.replace(line, setting={**line.setting, "width": 99})
    assert not is_of(other, ROWS, KIMG)


def test_the_table_has_means_and_ranges():
    row = ROWS[0]
    lines = [make_line(row, 0, 0.5, 0.9, 0.8), make_line(row, 1, 0.7, 1.0, 0.6)]
    *_, cells = format_table(ROWS, lines).splitlines()
    assert [cell.strip() for cell in cells.strip("|").split("|")] == [
        row.key, row.title, "2", "60.0 (50.0 to 70.0)", "50.0 (40.0 to 60.0)",
        "95.0 (90.0 to 100.0)", "35.0 (30.0 to 40.0)", "0.70 (0.60 to 0.80)",
        "0.35 (0.30 to 0.40)", "40.0 (40.0 to 40.0)", "4",
    ]  # fmt: skip


def test_a_predictor_that_taught_nobody_hides_nothing():
    row = next(row for row in ROWS if row.key == "projection")
    *_, cells = format_table(ROWS, [make_line(row, 0)]).splitlines()
    assert [cell.strip() for cell in cells.strip("|").split("|")][5:7] == ["", ""]


def test_a_training_that_diverged_is_named():
    row = ROWS[0]
    lines = [make_line(row, 0), make_line(row, 1, score=None, labels=None, error="diverged")]
    text = format_results(ROWS, lines)
    assert "| 2, 1 diverged | 50.0 |" in text
    assert f"2 runs of 1 of {len(ROWS)} settings, on a CPU." in text
    assert "99.2 % of 6,000 real images" in text


def test_nothing_is_claimed_without_runs():
    assert format_results(ROWS, []) == "No run has finished yet."
