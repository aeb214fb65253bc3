"""The Diagnose tab in a real browser: a run, its verdict, its pictures, and stopping it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from explorer.ui.diagnosing import WITHHELD
from tests.browser.conftest import DESKTOP, LONG_MS, PHONE, OpenPage, open_tab, read_uri
from tests.explorer.labelled import LAYOUT
from tests.explorer.ui.diagnosable import NUM_REAL
from tests.explorer.ui.live_app import LiveApp

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# The feature extractor may have to be loaded, on a busy machine.
DONE = "() => document.querySelector('.lx-diagnosis .lx-status')?.textContent.startsWith('Done')"


def open_diagnose(open_page: OpenPage, app: LiveApp, **options: object) -> Page:
    page = open_page(app.url, **options)
    page.wait_for_selector(".lx-sample .lx-frame img")
    open_tab(page, "Diagnose")
    page.wait_for_selector(".lx-preface")
    return page


def start(page: Page, models: list[str], num_samples: int = 256) -> None:
    """Choose models and a number of samples, and start."""
    tab = page.locator("#tab-diagnose")
    chosen = tab.locator(".token")
    for name in [text.strip() for text in chosen.all_inner_texts()]:
        if name not in models:
            chosen.filter(has_text=name).locator(".token-remove").click()
    shown = [text.strip() for text in chosen.all_inner_texts()]
    for name in [name for name in models if name not in shown]:
        tab.get_by_label("Models").click()
        page.get_by_role("option", name=name, exact=True).click()
        page.keyboard.press("Escape")
    tab.get_by_label("Samples per model").click()
    page.get_by_role("option", name=str(num_samples), exact=True).click()
    page.get_by_role("button", name="Diagnose", exact=True).click()


def find_verdict(page: Page, model: str) -> Locator:
    return page.locator(f".lx-verdict[data-model={model}]")


def find_cell(page: Page, part: str, model: str = "one") -> Locator:
    return page.locator(f"[data-part={part}] .lx-cell[data-model={model}]")


def wait_for_pictures(cell: Locator) -> list[str]:
    """Wait until every picture of a cell has come, and return their sources."""
    cell.page.wait_for_function(
        """(cell) => { const images = [...cell.querySelectorAll("img")];
             return images.length > 0 && images.every((image) => image.naturalWidth > 0); }""",
        arg=cell.element_handle(),
    )
    return [image.get_attribute("src") or "" for image in cell.locator("img").all()]


def test_the_page_says_first_what_it_will_show(clinic: LiveApp, open_page: OpenPage) -> None:
    page = open_diagnose(open_page, clinic)
    preface = page.locator(".lx-preface").inner_text()
    for title in ("Near-duplicates", "Copying", "Variety", "Known modes", "Map", "Sensitivity"):
        assert title in preface
    assert "about a minute" in preface


def test_a_stuck_model_is_told_from_a_varied_one(clinic: LiveApp, open_page: OpenPage) -> None:
    page = open_diagnose(open_page, clinic, viewport={"width": 1440, "height": 900})
    start(page, ["one", "stuck"])
    page.wait_for_function(DONE, timeout=LONG_MS)
    stuck, one = find_verdict(page, "stuck"), find_verdict(page, "one")
    assert stuck.get_attribute("data-level") == "bad"
    assert "Collapsed" in stuck.locator(".lx-call").inner_text()
    assert "≈ 1\n" in stuck.locator(".lx-figures").inner_text()
    assert "Collapsed" not in one.inner_text()
    boxes = [verdict.bounding_box() for verdict in (one, stuck)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]

    figures = find_cell(page, "duplicates", "stuck").locator(".lx-figures").inner_text()
    assert f"{256 * 255 // 2:,}" in figures
    modes = find_cell(page, "modes").get_by_role("table", name="Values of shade")
    assert sorted(modes.locator("tbody th span").all_inner_texts()) == ["dark", "light"]
    metrics = find_cell(page, "spread").locator("tbody tr")
    assert metrics.evaluate_all("(rows) => rows.map((row) => row.dataset.metric)") == [
        "distance", "precision", "recall", "density", "coverage",
    ]  # fmt: skip
    find_cell(page, "sensitivity").get_by_role("img", name=re.compile("grey levels")).wait_for()
    page.get_by_text("Leading components, pair by pair").click()
    find_cell(page, "pairs", "stuck").get_by_role("img", name=re.compile("Pair plot")).wait_for()


def test_the_pictures_are_the_samples_and_the_real_images(
    clinic: LiveApp, open_page: OpenPage
) -> None:
    page = open_diagnose(open_page, clinic)
    start(page, ["one"])
    page.wait_for_function(DONE, timeout=LONG_MS)
    cell = find_cell(page, "duplicates")
    sources = wait_for_pictures(cell)
    seeds = [int(text) for text in cell.locator(".lx-frame .lx-edge").all_inner_texts()]
    assert len(seeds) == len(sources) >= 12
    expected = clinic.sampler.sample_seeds("one", seeds)
    np.testing.assert_array_equal(np.stack([read_uri(source) for source in sources]), expected)
    copies = find_cell(page, "copying")
    pixels = [read_uri(source) for source in wait_for_pictures(copies)]
    edges = copies.locator(".lx-frame .lx-edge").all_inner_texts()
    seeds = [int(text) for text in edges[::2]]
    np.testing.assert_array_equal(pixels[::2], clinic.sampler.sample_seeds("one", seeds))
    assert all(re.fullmatch(r"real \d+", text) for text in edges[1::2])

    page.get_by_role("tab", name="Interpolate").click()
    page.get_by_label("Through seeds").fill("5")  # of another morph
    page.get_by_role("tab", name="Diagnose").click()
    pair = cell.locator("button.lx-pair").first
    first, second = pair.locator(".lx-edge").all_inner_texts()
    pair.click()
    page.wait_for_selector(".lx-morph:not(.is-empty)")
    assert page.get_by_label("Seed A").input_value() == first
    assert page.get_by_label("Seed B").input_value() == second
    assert page.get_by_label("Through seeds").input_value() == ""


def test_real_images_that_are_not_sent_are_not_asked_for(
    clinic: LiveApp, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where real images stay on the server, a sentence says so and only samples are fetched."""
    monkeypatch.setattr(clinic.context, "sends_real_images", False)
    page = open_diagnose(open_page, clinic)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data or ""))
    start(page, ["one"])
    page.wait_for_function(DONE, timeout=LONG_MS)
    copies = find_cell(page, "copying")
    assert WITHHELD in copies.inner_text()
    assert copies.locator("img.is-absent").count() == copies.locator(".lx-pair").count() >= 1
    page.get_by_role("button", name="Show as pictures").click()
    page.wait_for_function("() => document.querySelector('.lx-map').dataset.pictures === '256'")
    assert any('"seeds"' in body for body in asked)
    assert not any('"indices"' in body for body in asked)


def test_labels_are_read_and_shown_as_a_confusion(clinic: LiveApp, open_page: OpenPage) -> None:
    page = open_diagnose(open_page, clinic)
    start(page, ["faces"])
    page.wait_for_function(DONE, timeout=LONG_MS)
    cell = find_cell(page, "labels", "faces")
    seeds = range(256)
    images = clinic.sampler.sample_seeds("faces", seeds)
    rows = LAYOUT.draw(seeds).tolist()
    readings = clinic.context.readers.read("faces", images, rows)
    hairs = [(one[0].asked, one[0].read) for one in readings]
    values = LAYOUT.labels[0].values  # type: ignore[attr-defined]
    wanted = []
    for asked in values:
        reads = [read for wish, read in hairs if wish == asked]
        shares = [round(100 * reads.count(value) / len(reads)) for value in values]
        wanted.append([str(share) if share else "" for share in shares])
    table = cell.get_by_role("table", name="hair: asked for in rows, read in columns")
    found = [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]
    assert found == wanted
    assert "mean error" in cell.inner_text()

    pair = find_cell(page, "duplicates", "faces").locator("button.lx-pair").first
    ends = [int(text) for text in pair.locator(".lx-edge").all_inner_texts()]
    pair.click()
    page.wait_for_selector("#tab-interpolate .lx-label")
    for panel, row in enumerate(LAYOUT.draw(ends).tolist()):
        labels = page.locator("#tab-interpolate .lx-labels").nth(panel)
        choice = labels.get_by_role("group", name="hair").get_by_label(values[int(row[0])])
        choice.and_(page.locator(":checked")).wait_for()


def test_a_model_without_labels_has_no_part_about_them(
    clinic: LiveApp, open_page: OpenPage
) -> None:
    page = open_diagnose(open_page, clinic)
    start(page, ["one"])
    page.wait_for_function(DONE, timeout=LONG_MS)
    assert page.locator("[data-part=labels]").is_hidden()
    assert page.locator("[data-part=modes]").is_visible()


def test_the_map_shows_the_picture_of_a_point(clinic: LiveApp, open_page: OpenPage) -> None:
    page = open_diagnose(open_page, clinic)
    start(page, ["one"])
    page.wait_for_function(DONE, timeout=LONG_MS)
    frame = page.get_by_role("application", name=re.compile("Map of 256 samples of one"))
    frame.scroll_into_view_if_needed()
    frame.focus()
    tip = frame.locator(".lx-tip")
    tip.locator("img").wait_for()
    name = tip.locator(".lx-edge").inner_text()
    seed = int(name.removeprefix("Sample, seed "))
    np.testing.assert_array_equal(
        read_uri(tip.locator("img").get_attribute("src")),
        clinic.sampler.sample_seeds("one", [seed])[0],
    )
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "(name) => document.querySelector('.lx-tip .lx-edge').textContent !== name", arg=name
    )
    page.keyboard.press("Escape")
    tip.wait_for(state="hidden")

    box = frame.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    for step in range(1, 60):
        part = step / 60
        page.mouse.move(box["x"] + box["width"] * part, box["y"] + box["height"] * part)
        if tip.is_visible():
            break
    tip.locator("img").wait_for()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 20)
    tip.wait_for(state="hidden")
    pictures = page.get_by_role("button", name="Show as pictures")
    pictures.click()
    assert pictures.get_attribute("aria-pressed") == "true"
    page.wait_for_function(
        "(count) => document.querySelector('.lx-map').dataset.pictures === String(count)",
        arg=256 + NUM_REAL // 2,
    )


def test_a_stopped_run_keeps_its_values_and_can_go_on(clinic: LiveApp, open_page: OpenPage) -> None:
    page = open_diagnose(open_page, clinic)
    start(page, ["one"], num_samples=5000)
    find_cell(page, "duplicates").locator(".lx-pair").first.wait_for(timeout=LONG_MS)
    page.get_by_role("button", name="Stop").locator("visible=true").click()
    verdict = find_verdict(page, "one")
    verdict.get_by_text("what was measured until then stays").wait_for()
    assert find_cell(page, "duplicates").locator(".lx-pair").count() >= 6
    assert find_cell(page, "sensitivity").inner_text() != ""
    assert verdict.locator(".lx-figures dt").count() >= 2
    assert verdict.locator("progress").count() == 0
    again = page.get_by_role("button", name="Diagnose", exact=True)
    assert again.is_enabled()
    start(page, ["one"])
    page.wait_for_function(DONE, timeout=LONG_MS)
    assert "256 samples" in verdict.inner_text()


def test_a_model_without_statistics_says_what_to_do(clinic: LiveApp, open_page: OpenPage) -> None:
    page = open_diagnose(open_page, clinic)
    start(page, ["stranger"])
    verdict = find_verdict(page, "stranger")
    verdict.get_by_text("python -m training reference").wait_for(timeout=LONG_MS)
    assert "Cannot be diagnosed" in verdict.inner_text()
    assert verdict.get_attribute("data-level") == "unknown"
    assert page.locator("[data-part]:visible").count() == 0
    assert page.get_by_role("button", name="Diagnose", exact=True).is_enabled()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_diagnosis_scrolls_down_only(
    clinic: LiveApp, open_page: OpenPage, viewport: dict[str, int]
) -> None:
    page = open_diagnose(open_page, clinic, viewport=viewport)
    start(page, ["one", "stuck"])
    page.wait_for_function(DONE, timeout=LONG_MS)
    page.get_by_text("Leading components, pair by pair").click()
    wait_for_pictures(find_cell(page, "duplicates", "stuck"))
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    one, stuck = (find_verdict(page, name).bounding_box() for name in ("one", "stuck"))
    assert one is not None
    assert stuck is not None
    is_stacked = one["y"] + one["height"] <= stuck["y"]
    assert is_stacked == (viewport is PHONE)


def test_calm_motion_is_respected(clinic: LiveApp, open_page: OpenPage) -> None:
    page = open_diagnose(open_page, clinic, reduced_motion="reduce")
    seconds = page.locator(".lx-header").evaluate(
        "(node) => getComputedStyle(node).transitionDuration"
    )
    assert seconds == "1e-05s"
