"""The ablation's pure parts: rows, what is missing, the table and the chart from written lines."""

import json
from dataclasses import asdict, replace
from xml.etree import ElementTree

import pytest

from docs.ablation import KIMG, SETTINGS, Case, build_rows, list_missing, select_lines
from docs.ablation_report import (
    Line,
    Row,
    append_line,
    build_bars,
    draw_ablation,
    format_page_part,
    format_table,
    read_lines,
)
from docs.case_runs import END, START, write_results

ROWS = [
    Row("plain", "DCGAN: as published", "dcgan", {}, None),
    Row("hinge", "DCGAN: loss hinge", "dcgan", {"loss": "hinge"}, "plain"),
    Row("never", "DCGAN: never run", "dcgan", {}, "plain"),
]


def make_score(value):
    return {
        "score": value,
        "interval": [value - 1.0, value + 1.5],
        "score_name": "FD-EfficientNet-Lite0",
        "num_samples": 5000,
        "reference": "Avatars (toon-head)",
        "noise_floor": 2.0,
        "is_noise_floor_measured": True,
    }


def make_line(row, seed, last, best=None, error=None):
    scores = [None if value is None else make_score(value) for value in (last, best or last)]
    setting = {"model": "dcgan", "kimg": 300.0, **({"loss": "hinge"} if row == "hinge" else {})}
    return Line(row, seed, setting, 4688, 300_032, 7.4, "A CPU", *scores, 4000, error)


LINES = [
    make_line("plain", 0, 100.0, 90.0),
    make_line("plain", 1, 110.0, 95.0),
    make_line("hinge", 0, 80.0),
    make_line("hinge", 1, 84.0),
    make_line("hinge", 2, 86.0),
]


def read_cells(table, row):
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {row} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_has_means_ranges_and_the_number_of_seeds():
    table = format_table(ROWS, LINES)
    assert len(table.splitlines()) == 4  # two of head, and nothing of what never ran
    assert read_cells(table, "plain") == [
        *("plain", "DCGAN: as published", "2"),
        "105.0 (100.0 to 110.0), each ± 1.5",
        "92.5 (90.0 to 95.0), each ± 1.5",
        *("", "4,688", "7"),
    ]
    hinge = read_cells(table, "hinge")
    assert hinge[2:4] == ["3", "83.3 (80.0 to 86.0), each ± 1.5"]
    # Seeds 0 and 1 are shared: -20 and -26.
    assert hinge[5] == "-23.0 (plain)"


def test_a_single_seed_shows_its_interval():
    cells = read_cells(format_table(ROWS, LINES[:1]), "plain")
    assert cells[2:5] == ["1", "100.0 [99.0, 101.5]", "90.0 [89.0, 91.5]"]


def test_runs_that_diverged_are_counted_and_not_averaged():
    lines = [*LINES[:1], make_line("plain", 1, None, error="became nan"), LINES[2]]
    cells = read_cells(format_table(ROWS, lines), "plain")
    assert cells[2:4] == ["2 (1 diverged)", "100.0 [99.0, 101.5]"]
    alone = [make_line("plain", 0, None, error="became nan")]
    assert read_cells(format_table(ROWS, alone), "plain")[3:6] == ["none", "none", ""]
    assert build_bars(ROWS, alone) == []


def test_a_run_that_was_repeated_counts_once():
    lines = [*LINES[:1], make_line("plain", 0, 50.0)]
    assert read_cells(format_table(ROWS, lines), "plain")[2:4] == ["1", "50.0 [49.0, 51.5]"]


def test_the_page_says_what_there_is_and_keeps_its_text(tmp_path):
    part = format_page_part(ROWS, LINES, "images/ablation.svg")
    assert part.startswith("5 runs of 2 of 3 settings, on A CPU.")
    assert "of 5,000 samples against Avatars (toon-head); real images score 2.0." in part
    assert format_table(ROWS, LINES) in part
    assert format_page_part(ROWS, [], "x.svg") == "No run has finished yet."
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{START}\nold\n{END}\nafter\n", encoding="utf-8")
    write_results(page, part)
    assert page.read_text(encoding="utf-8") == f"# Title\n\n{START}\n\n{part}\n\n{END}\nafter\n"


def test_bars_are_means_with_the_range_of_the_seeds(tmp_path):
    plain, hinge = build_bars(ROWS, LINES)
    assert (plain.name, plain.value, plain.low, plain.high) == ("plain", 105.0, 100.0, 110.0)
    assert (hinge.value, hinge.noise_floor) == (pytest.approx(250 / 3), 2.0)
    (alone,) = build_bars(ROWS, LINES[:1])
    assert (alone.low, alone.high) == (99.0, 101.5)
    chart = tmp_path / "chart.svg"
    draw_ablation(chart, ROWS, LINES)
    assert ElementTree.parse(chart).getroot().tag.endswith("svg")
    draw_ablation(tmp_path / "none.svg", ROWS, [])
    assert not (tmp_path / "none.svg").exists()


def test_lines_are_kept_one_by_one(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert read_lines(path) == []
    for line in LINES:
        append_line(path, line)
    assert read_lines(path) == LINES
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[1]) == asdict(LINES[1])


def test_all_rows_come_with_one_seed_before_the_next():
    rows = build_rows()
    cases = list(list_missing(rows, [0, 1], KIMG, []))
    assert len(cases) == 2 * len(SETTINGS)
    assert [case.seed for case in cases] == [0] * len(SETTINGS) + [1] * len(SETTINGS)
    assert [case.row.key for case in cases[:2]] == ["dcgan", "wgan_gp"]


def test_a_line_counts_for_its_own_options_and_length_only():
    rows = build_rows()[:2]
    case = Case(rows[0], 0, KIMG)
    line = replace(LINES[0], row="dcgan", setting=json.loads(json.dumps(case.setting)))
    assert [c.row.key for c in list_missing(rows, [0], KIMG, [line])] == ["wgan_gp"]
    assert select_lines(rows, KIMG, [line]) == [line]
    for other in ({**line.setting, "width": 64}, {**line.setting, "kimg": 1.0}):
        changed = replace(line, setting=other)
        assert len(list(list_missing(rows, [0], KIMG, [changed]))) == 2
        assert select_lines(rows, KIMG, [changed]) == []


@pytest.mark.parametrize("row", build_rows(), ids=lambda row: row.key)
def test_every_row_is_a_training_of_equal_length_that_differs_from_its_base(row):
    config = Case(row, 1, KIMG).build_config()
    assert (config.kimg, config.seed, config.width, config.batch_size) == (300.0, 1, 32, 64)
    config.build_model_config(3, 32)
    steps = 300_000 / (config.batch_size * config.critic_steps)
    assert 3.9 <= steps / config.score_every <= 4.1
    by_key = {other.key: other for other in build_rows()}
    keys = list(by_key)
    assert row.base is None or keys.index(row.base) < keys.index(row.key)
    base = Case(by_key[row.base or row.key], 1, KIMG)
    assert (base.setting == Case(row, 1, KIMG).setting) is (row.base is None)


def test_titles_name_what_differs_from_the_base():
    titles = {row.key: row.title for row in build_rows()}
    assert titles["dcgan"] == "DCGAN: as published"
    assert titles["dcgan-hinge"] == "DCGAN: loss hinge"
    assert titles["best-fp32"] == "WGAN-GP: precision fp32"
    assert len(set(titles.values())) == len(titles)


def test_the_thesis_s_rows_are_the_preset_at_half_width():
    dcgan, wgan_gp = (Case(row, 0, KIMG).build_config() for row in build_rows()[:2])
    assert (dcgan.learning_rate_d, dcgan.critic_norm, dcgan.gp_weight) == (2e-4, "batch", 0.0)
    assert (wgan_gp.learning_rate_d, wgan_gp.critic_norm, wgan_gp.gp_weight) == (
        1e-4,
        "batch",
        10.0,
    )
