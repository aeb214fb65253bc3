"""The Compare tab in a real browser: models on the same seeds, and their scores as they come in."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from explorer.comparison import stream_comparison
from explorer.model_scoring import ComparisonUpdate
from explorer.score_results import ResultKey, ScoreResults, identify_reference
from tests.browser.conftest import LONG_MS, PHONE, OpenPage, open_tab, read_uri
from tests.explorer.ui.live_app import EXTRACTOR, LiveApp
from training.metrics.score import Score

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

KNOWN_COUNTS = (32, 64, 128, 256)
HEADINGS = [
    "Model", "FD-EfficientNet-Lite0", "95 % interval", "Samples", "Noise floor", "Infinitely many",
    "Reference",
]  # fmt: skip


def start_score(page: Page, num_samples: int = 1024) -> None:
    """Ask for the scores of the models that are chosen."""
    open_tab(page, "Compare")
    if num_samples != 1024:
        page.get_by_label("Samples per model").click()
        page.get_by_role("option", name=str(num_samples), exact=True).click()
    page.get_by_role("button", name="Score", exact=True).click()


def find_row(page: Page, model: str) -> Locator:
    return page.locator(f".lx-board tbody tr[data-model={model}]")


def wait_for_value(page: Page, model: str) -> None:
    """Wait for a model's first score; the feature extractor may have to be loaded for it."""
    find_row(page, model).locator("td", has_text="Discs").wait_for(timeout=LONG_MS)


def make_score(num_samples: int, value: float) -> Score:
    return Score(
        value=value,
        score_name="FD-EfficientNet-Lite0",
        extractor=EXTRACTOR,
        num_samples=num_samples,
        reference="Discs",
        noise_floor=1000 / num_samples,
        is_noise_floor_measured=num_samples >= 100,
        interval=(value - 5, value + 5),
        infinite_n=value - 20,
        infinite_n_interval=(value - 31, value - 9),
    )


@pytest.fixture
def known_scores(app: LiveApp) -> Iterator[LiveApp]:
    """Let the app know scores of 32 to 256 samples of its three models, and no others."""
    kept, app.context.results = app.context.results, ScoreResults()
    for number, name in enumerate(("one", "two", "three")):
        reference = app.library.find_reference(app.library.get(name), EXTRACTOR)
        assert reference is not None
        fingerprint = app.library.get_fingerprint(name)
        key = ResultKey(fingerprint, EXTRACTOR, identify_reference(reference), 0)
        for count in KNOWN_COUNTS:
            score = make_score(count, value=100 + 50 * number + 3200 / count)
            app.context.results.add(key, score, is_asked_for=True)
    yield app
    app.context.results = kept


def test_models_are_compared_on_the_same_seeds(browser_page: Page, app: LiveApp) -> None:
    open_tab(browser_page, "Compare")
    browser_page.get_by_label("Seeds, such as").fill("7, 2-3")
    browser_page.get_by_label("Seeds, such as").press("Enter")
    browser_page.wait_for_function("document.querySelectorAll('.lx-column .lx-frame').length === 9")
    for name in ("one", "three", "two"):
        column = browser_page.locator(f".lx-column[data-model={name}]")
        sources = [image.get_attribute("src") for image in column.locator(".lx-frame img").all()]
        np.testing.assert_array_equal(
            np.stack([read_uri(source) for source in sources]),
            app.sampler.sample_seeds(name, [7, 2, 3]),
        )
    browser_page.get_by_role("option", name="three, seed 2").click()
    assert browser_page.locator(".lx-column .lx-big").evaluate_all(
        "(images) => images.map((image) => image.alt)"
    ) == ["one, seed 2", "three, seed 2", "two, seed 2"]


@pytest.mark.parametrize(
    ("seeds", "sentence"),
    [("abc", "'abc' is not a number or range"), ("0-99", "100 seeds are too many to show")],
)
def test_bad_seeds_are_a_toast_and_lose_nothing(
    browser_page: Page, seeds: str, sentence: str
) -> None:
    open_tab(browser_page, "Compare")
    browser_page.wait_for_selector(".lx-column .lx-frame")
    browser_page.get_by_label("Seeds, such as").fill(seeds)
    browser_page.get_by_label("Seeds, such as").press("Enter")
    browser_page.get_by_text(sentence).wait_for()
    assert browser_page.locator(".lx-column .lx-frame").count() == 48


def test_a_score_arrives_is_stopped_and_goes_on(browser_page: Page) -> None:
    start_score(browser_page)
    wait_for_value(browser_page, "one")
    browser_page.get_by_role("button", name="Stop").click()
    browser_page.get_by_text("Stopped; the values so far are below.").wait_for(timeout=LONG_MS)
    assert browser_page.locator(".lx-board th[scope=col]").all_inner_texts() == HEADINGS
    value, interval, samples, floor, limit, reference = (
        find_row(browser_page, "one").locator("td").all_inner_texts()
    )
    low, high = map(float, interval.split(" to "))
    assert 0 < low < float(value) < high
    num_samples = int(samples.replace(",", ""))
    assert num_samples >= 16
    assert re.fullmatch(r"~?[\d.]+", floor)
    assert re.fullmatch(r"-?[\d.]+ \(-?[\d.]+ to -?[\d.]+\)", limit)
    assert reference == "Discs"
    browser_page.get_by_role("img", name=re.compile("as samples accumulate")).wait_for()

    browser_page.get_by_role("button", name="Score", exact=True).click()
    browser_page.get_by_text(re.compile(r"^[\d,]+ of 1,024 samples of each model")).wait_for(
        timeout=LONG_MS
    )
    # What was there is there again; a value on its way may not have been kept.
    browser_page.wait_for_function(
        """(count) => Number(document.querySelectorAll(".lx-board tr[data-model=one] td")[2]
             ?.textContent.replace(",", "")) >= count""",
        arg=num_samples,
        timeout=LONG_MS,
    )
    browser_page.get_by_role("button", name="Stop").click()
    browser_page.get_by_text("Stopped; the values so far are below.").wait_for(timeout=LONG_MS)


def test_known_scores_come_at_once_with_band_floor_and_limit(
    known_scores: LiveApp, browser_page: Page
) -> None:
    start_score(browser_page, 256)
    status = "Scored 256 samples of each model, kept from an earlier time."
    browser_page.get_by_text(status).wait_for(timeout=LONG_MS)
    note = "Scores are of seeds 0 to 255 at truncation 1."
    assert note in browser_page.locator(".lx-board .lx-status").inner_text()
    assert find_row(browser_page, "two").locator("td").all_inner_texts() == [
        "162.5", "157.5 to 167.5", "256", "3.91", "142.5 (131.5 to 153.5)", "Discs",
    ]  # fmt: skip
    chart = browser_page.locator(".lx-board .lx-chart")
    lines = chart.locator("polyline.lx-line").evaluate_all(
        "(lines) => lines.map((line) => line.points.length)"
    )
    assert lines == [len(KNOWN_COUNTS)] * 3
    bands = chart.locator("polygon.lx-band").evaluate_all(
        "(bands) => bands.map((band) => band.points.length)"
    )
    assert bands == [2 * len(KNOWN_COUNTS)] * 3
    assert chart.locator("polyline.lx-floor").count() == 1  # they share a reference
    assert chart.get_by_text("noise floor 3.91", exact=True).count() == 1
    marks = chart.locator(".lx-extrapolated title").all_text_contents()
    assert sorted(marks) == [
        f"{name}, infinitely many samples: {value}, 95 % interval {interval}"
        for name, value, interval in (
            ("one", "92.50", "81.50 to 103.5"),
            ("three", "192.5", "181.5 to 203.5"),
            ("two", "142.5", "131.5 to 153.5"),
        )
    ]
    labels = chart.locator(".lx-limit-label").all_text_contents()
    assert labels == ["192.5", "142.5", "92.50"]  # from top to bottom
    assert browser_page.get_by_role("button", name="Score", exact=True).is_enabled()


def test_a_note_explains_the_columns(known_scores: LiveApp, browser_page: Page) -> None:
    start_score(browser_page, 256)
    browser_page.get_by_text("kept from an earlier time").wait_for(timeout=LONG_MS)
    note = browser_page.locator(".lx-notes")
    note.get_by_text("What interval, floor and ∞ mean").click()
    assert note.locator("dt").all_inner_texts() == [
        "FD-EfficientNet-Lite0", "Samples", "95 % interval", "Noise floor", "Infinitely many",
    ]  # fmt: skip
    assert "extractor efficientnet-lite0" in note.inner_text()
    assert "No model can be expected to do better" in note.inner_text()
    heading = browser_page.locator(".lx-board th", has_text="Noise floor")
    assert "real images" in (heading.get_attribute("title") or "")


def test_scores_fit_on_a_phone(known_scores: LiveApp, open_page: OpenPage) -> None:
    page = open_page(known_scores.url, PHONE)
    page.wait_for_selector(".lx-sample .lx-frame img")
    start_score(page, 256)
    page.get_by_text("kept from an earlier time").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    chart = page.locator(".lx-board .lx-chart svg[role=img]")
    right = chart.evaluate(
        """(chart) => Math.max(...[...chart.querySelectorAll("text, circle")]
             .map((part) => part.getBoundingClientRect().right))"""
    )
    assert right <= PHONE["width"]


def test_values_that_come_in_take_neither_focus_nor_place(
    app: LiveApp, open_page: OpenPage
) -> None:
    page = open_page(app.url, PHONE)
    page.wait_for_selector(".lx-sample .lx-frame img")
    start_score(page)
    wait_for_value(page, "one")
    status, summary = page.locator(".lx-board .lx-status"), page.locator(".lx-notes summary")
    table = page.locator(".lx-board .lx-scroll")
    summary.focus()
    table.evaluate("(table) => { table.scrollLeft = 90; }")
    before = status.inner_text()
    assert status.get_attribute("aria-live") == "off"  # spoken at the end only
    page.wait_for_function(
        "(text) => document.querySelector('.lx-board .lx-status').textContent !== text",
        arg=before,
        timeout=LONG_MS,
    )
    assert summary.evaluate("(summary) => summary === document.activeElement")
    assert table.evaluate("(table) => table.scrollLeft") == 90
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped; the values so far are below.").wait_for(timeout=LONG_MS)
    assert status.get_attribute("aria-live") == "polite"


def test_a_gif_is_made_while_scores_come_in(browser_page: Page) -> None:
    start_score(browser_page)
    browser_page.locator(".lx-status").wait_for()
    stop = browser_page.get_by_role("button", name="Stop")
    assert stop.is_enabled()
    open_tab(browser_page, "Interpolate")
    browser_page.wait_for_selector(".lx-morph:not(.is-empty)")
    browser_page.get_by_label("Frames from A to B").fill("3")
    browser_page.get_by_role("button", name="Make GIF").click()
    browser_page.get_by_text("4 frames, 25 per second").wait_for()
    open_tab(browser_page, "Compare")
    assert stop.is_enabled()  # still scoring
    stop.click()
    browser_page.get_by_role("button", name="Score", exact=True).and_(
        browser_page.locator(":enabled")
    ).wait_for()


def test_closing_the_tab_ends_its_score(
    app: LiveApp, browser_page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed_on: list[str] = []
    is_closed = threading.Event()

    def stream_for_ever(*arguments: Any, **options: Any) -> Iterator[ComparisonUpdate]:
        try:
            updates = list(islice(stream_comparison(*arguments, **options), 3))
            yield from itertools.cycle(updates)
        except GeneratorExit:
            closed_on.append(threading.current_thread().name)
            is_closed.set()
            raise

    monkeypatch.setattr("explorer.comparison.stream_comparison", stream_for_ever)
    start_score(browser_page)
    wait_for_value(browser_page, "one")
    while app.context.worker.num_jobs > 1:  # one of a test before is ending
        browser_page.wait_for_timeout(50)
    browser_page.close()
    assert is_closed.wait(600)  # nothing else would end it
    assert closed_on == ["worker_0"]
    assert app.context.worker.num_jobs == 0
