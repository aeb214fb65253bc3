"""Interpolate in a real browser: the slider and the strip."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from explorer.latents import interpolate_slerp, sample_latents
from tests.browser.conftest import PHONE, OpenPage, open_tab
from tests.browser.driving import (
    SETTLED,
    open_morph,
    read_stage,
)
from tests.explorer.ui.live_app import LiveApp

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_sample_is_sent_to_interpolate(browser_page: Page, app: LiveApp) -> None:
    browser_page.get_by_role("option", name="Seed 9", exact=True).click()
    browser_page.get_by_role("button", name="End a morph here").click()
    browser_page.wait_for_selector(".lx-morph:not(.is-empty)")
    # The keyboard goes on there: the button that was pressed is hidden now.
    browser_page.wait_for_function("document.activeElement.closest('.lx-scrub') !== null")
    assert browser_page.get_by_label("Seed B").input_value() == "9"
    browser_page.wait_for_function(
        "() => document.querySelectorAll('.lx-end b')[1].textContent === '9'"
    )
    browser_page.get_by_label("Go to t = 1.00").click()
    browser_page.wait_for_function(SETTLED)
    np.testing.assert_array_equal(read_stage(browser_page), app.sampler.sample_seeds("one", [9])[0])


def test_the_last_position_of_a_drag_is_the_one_that_stays(
    browser_page: Page, app: LiveApp
) -> None:
    open_morph(browser_page)
    slider = browser_page.get_by_label("Position t between A and B")
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    browser_page.mouse.move(box["x"] + box["width"] / 2, middle)
    browser_page.mouse.down()
    for step in range(60):
        part = 0.5 + 0.45 * np.sin(step / 5)
        browser_page.mouse.move(box["x"] + box["width"] * part, middle)
    browser_page.mouse.move(box["x"] + box["width"] * 0.83, middle)
    browser_page.mouse.up()
    browser_page.wait_for_function(SETTLED)

    t = float(slider.input_value())
    assert 0.8 < t < 0.86
    a, b = sample_latents([0, 1], 16)
    expected = app.sampler.sample_images("one", interpolate_slerp(a, b, t)[None])[0]
    np.testing.assert_array_equal(read_stage(browser_page), expected)


def test_the_slider_works_by_keyboard(browser_page: Page, app: LiveApp) -> None:
    open_morph(browser_page)
    slider = browser_page.get_by_label("Position t between A and B")
    slider.focus()
    browser_page.keyboard.press("End")
    browser_page.wait_for_function(SETTLED)
    assert browser_page.locator(".lx-t output").inner_text() == "1.000"
    np.testing.assert_array_equal(read_stage(browser_page), app.sampler.sample_seeds("one", [1])[0])


def test_a_morph_goes_through_seeds_that_are_typed(browser_page: Page, app: LiveApp) -> None:
    """Each seed on the way has its frame in the strip, a click on it shows its own image."""
    open_morph(browser_page)
    through = browser_page.get_by_label("Through seeds")
    through.fill("7, 3-4")
    through.press("Enter")
    browser_page.locator(".lx-strip .lx-edge").get_by_text("7", exact=True).wait_for()
    assert browser_page.get_by_label("Go to 7, t = 0.25").count() == 1
    stop = browser_page.locator(".lx-strip .lx-frame").filter(has_text=re.compile(r"^3$"))
    stop.click()
    browser_page.wait_for_function(SETTLED)
    np.testing.assert_array_equal(read_stage(browser_page), app.sampler.sample_seeds("one", [3])[0])
    spoken = browser_page.locator(".lx-scrub input[type=range]").get_attribute("aria-valuetext")
    assert spoken == "3, 50 percent of the way"
    edges = browser_page.locator(".lx-strip .lx-edge").all_inner_texts()
    assert [text for text in edges if text] == ["0", "7", "3", "4", "1"]
    through.fill("")  # from A to B again, whose places are shown
    browser_page.locator(".lx-strip .lx-edge", has_text=".50").wait_for()


def test_the_exact_image_comes_back_after_the_page_has_changed(browser_page: Page) -> None:
    """Of another width, and behind another tab, in-betweens are drawn anew."""
    open_morph(browser_page)
    browser_page.get_by_label("Go to t = 0.30").click()
    browser_page.wait_for_function(SETTLED)
    exact = browser_page.evaluate("""() => {
        const morph = document.querySelector(".lx-morph");
        window.states = [];
        new MutationObserver(() => states.push(morph.dataset.exact))
            .observe(morph, { attributeFilter: ["data-exact"] });
        return morph.querySelector(".lx-stage").toDataURL();
    }""")
    browser_page.set_viewport_size({"width": 900, "height": 700})
    open_tab(browser_page, "Sample")
    open_tab(browser_page, "Interpolate")
    browser_page.wait_for_function(
        """(exact) => states.includes("") && states.at(-1) !== ""
             && document.querySelector(".lx-stage").toDataURL() === exact""",
        arg=exact,
    )


def test_a_phone_can_hit_every_frame_of_a_long_morph(app: LiveApp, open_page: OpenPage) -> None:
    """The strip scrolls where it has more stops than room, and follows the slider."""
    page = open_page(app.url, PHONE)
    page.wait_for_selector(".lx-sample .lx-frame img")
    open_morph(page)
    through = page.get_by_label("Through seeds")
    through.fill("2-31")
    through.press("Enter")
    last = page.get_by_label("Go to 31, t = 0.97")
    last.wait_for()
    widths = page.locator(".lx-strip .lx-frame").evaluate_all(
        "(all) => all.map((e) => e.clientWidth)"
    )
    assert len(widths) == 32
    assert min(widths) >= 24  # WCAG 2.5.8
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.locator(".lx-scrub input[type=range]").press("End")
    box = page.get_by_label("Go to 1, t = 1.00").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= PHONE["width"]
