"""Charts: what is drawn is what the scores say, in one panel per reference."""

import re

import pytest
from PIL import Image

from training.errors import MetricError
from training.metrics import chart
from training.metrics.chart import Bar, ChartText, draw_chart, draw_repeated
from training.metrics.evaluation import RepeatedScore

BAR_RGB = (125, 155, 184)  # chart.BAR_COLOUR
TEXT = ChartText("FD-Tiny", "FD-Tiny of 10 × 128 samples", "Lower is better.")
BARS = [
    Bar("second", "Faces", 90.0, 85.0, 95.0, 12.5, True),
    Bar("first", "Faces", 60.0, 58.0, 62.0, 12.5, True),
    Bar("alone", "A data set whose title goes on and on and on, longer than a panel is wide",
        30.0, 29.0, 31.0, 3.25, False),
]  # fmt: skip


@pytest.fixture
def read_text(monkeypatch):
    """Return a function that draws bars and returns the chart's text in order of appearance.

    With its text kept as text, an SVG can be read.
    """
    monkeypatch.setitem(chart.STYLE, "svg.fonttype", "none")

    def read(path, draw=lambda path: draw_chart(path, BARS, TEXT)):
        draw(path)
        return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))

    return read


def test_models_are_in_order_and_named_with_value_and_error(read_text, tmp_path):
    found = read_text(tmp_path / "chart.svg")
    names = [text for text in found if text in ("first", "second", "alone")]
    assert names == ["alone", "first", "second"]
    for text in ("60.0 ± 2.0", "90.0 ± 5.0", "30.0 ± 1.0", "FD-Tiny", TEXT.title):
        assert text in found
    assert {TEXT.note, "Dashed: what as many real images score."} <= set(found)
    assert "noise floor 12.5" in found
    assert "noise floor ~3.25" in found
    assert any(text.startswith("A data set whose") and text.endswith("…") for text in found)


def test_repeated_scores_show_their_mean_and_deviation(read_text, tmp_path):
    """Mean of 10, 12, 14 is 12, the deviation 2; the axis carries the score's name."""
    row = RepeatedScore("model", "FID", "inception", 128, "Faces", 5.0, True, (10.0, 12.0, 14.0))
    found = read_text(tmp_path / "chart.svg", lambda path: draw_repeated(path, [row]))
    assert "12.0 ± 2.0" in found
    assert "FID" in found
    assert "FID of 3 × 128 samples per model" in found


def test_equal_scores_make_equal_files(tmp_path):
    for name in ("a.svg", "b.svg"):
        draw_chart(tmp_path / name, BARS, TEXT)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_longer_bar_is_a_larger_score(tmp_path):
    """Count the bars' pixels: 90 has one and a half times as many as 60."""
    counts = []
    for bar in BARS[:2]:
        draw_chart(tmp_path / "chart.png", [bar, Bar("x", "Other", 100, 99, 101, 1, True)], TEXT)
        with Image.open(tmp_path / "chart.png") as image:
            upper = image.convert("RGB").crop((0, 0, image.width, image.height // 2))
        counts.append({colour: n for n, colour in upper.getcolors(1 << 20)}[BAR_RGB])
    assert counts[0] / counts[1] == pytest.approx(1.5, rel=0.04)


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(MetricError, match=r"ends in \.svg or \.png"):
        draw_chart(tmp_path / "chart.pdf", BARS, TEXT)
    assert list(tmp_path.iterdir()) == []
