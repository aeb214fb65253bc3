"""The real page in a real browser: what a user does, and the pixels that come back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from explorer.recipe import read_recipe
from explorer.replay import replay_recipe
from tests.browser.conftest import PHONE, OpenPage, open_tab
from tests.browser.driving import (
    open_again,
    read_sheet,
    wait_for_seeds,
)
from tests.explorer.ui.live_app import LiveApp

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

# The tabs, and where their content shows that it is there.
FILLED = {
    "Sample": ".lx-sample .lx-frame img",
    "Interpolate": ".lx-morph .lx-film > *",
    "Compare": ".lx-compare img",
    "Diagnose": "#tab-diagnose button.primary",
    "Models": ".lx-card",
}


TABS = list(FILLED)


def test_the_page_opens_with_the_samplers_images(browser_page: Page, app: LiveApp) -> None:
    sheet = read_sheet(browser_page)
    assert list(sheet) == list(range(16))
    expected = app.sampler.sample_seeds("one", range(16))
    np.testing.assert_array_equal(np.stack(list(sheet.values())), expected)


def test_another_seed_and_number_give_other_images(browser_page: Page, app: LiveApp) -> None:
    browser_page.get_by_label("number input for How many").fill("4")
    browser_page.get_by_label("First seed").fill("100")
    wait_for_seeds(browser_page, range(100, 104))
    expected = app.sampler.sample_seeds("one", range(100, 104))
    np.testing.assert_array_equal(np.stack(list(read_sheet(browser_page).values())), expected)


def test_the_dice_changes_the_seed_and_the_images(browser_page: Page) -> None:
    before = read_sheet(browser_page)
    browser_page.get_by_role("button", name="Roll").click()
    browser_page.wait_for_function(
        """() => {
          const first = document.querySelector(".lx-sample .lx-frame").dataset.seed;
          return first !== "0";
        }"""
    )
    first = next(iter(read_sheet(browser_page)))
    assert browser_page.get_by_label("First seed").input_value() == str(first)
    assert first != next(iter(before))


def test_a_seed_that_cannot_be_is_a_toast_and_loses_nothing(browser_page: Page) -> None:
    before = read_sheet(browser_page)
    seed = browser_page.get_by_label("First seed")
    seed.fill("")  # on the way to another number: nothing to be told
    seed.fill("-1")
    toast = browser_page.get_by_test_id("toast-body")
    assert "-1" in toast.inner_text()
    assert list(read_sheet(browser_page)) == list(before)
    for text in ("-2", "3"):  # what comes after a mistake counts, however soon
        seed.fill(text)
    browser_page.get_by_role("option", name="Seed 3", exact=True).wait_for()
    browser_page.get_by_role("option", name="Seed 0", exact=True).wait_for(state="detached")


def test_a_chosen_image_is_saved_with_a_recipe_that_makes_it_again(
    browser_page: Page, app: LiveApp, tmp_path: Path
) -> None:
    browser_page.get_by_role("option", name="Seed 6", exact=True).click()
    browser_page.get_by_alt_text("Seed 6, enlarged").wait_for()
    browser_page.get_by_label("Chosen image").check()
    with browser_page.expect_download() as download:
        browser_page.get_by_role("button", name="Save PNG").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    recipe = read_recipe(path)
    assert (path.name, recipe.seeds, recipe.size) == ("one-seed-6.png", (6,), 256)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), replay_recipe(recipe, app.sampler)[0])


def test_cards_show_layers_curve_and_damage(browser_page: Page) -> None:
    open_tab(browser_page, "Models")
    card = browser_page.locator(".lx-card[data-model=one]")
    card.get_by_alt_text("one, seed 7").wait_for()
    card.get_by_text("Layers and parameters").click()
    generator = card.get_by_role("table", name="generator")
    generator.get_by_text("ConvTranspose2d").first.wait_for()
    counts = [int(text.replace(",", "")) for text in
              generator.locator("tr td:last-child").all_inner_texts()]  # fmt: skip
    assert counts[-1] == sum(counts[:-1]) > 0
    card.get_by_text("Training curve").click()
    # The browser tells of the opened section a moment later; the curve is drawn then.
    card.get_by_role("img", name=re.compile("over training")).first.wait_for()
    card.get_by_text("How it was trained").click()
    card.get_by_text("python -m training train").wait_for()
    # The terms name their licence by its address.
    licence = card.get_by_role("link", name="creativecommons.org/publicdomain/zero/1.0")
    assert licence.get_attribute("href") == "https://creativecommons.org/publicdomain/zero/1.0/"
    damaged = browser_page.locator(".lx-card").last
    assert damaged.get_attribute("data-model") == "damaged"
    assert "is not a whole safetensors file" in damaged.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_the_switch_is_used(
    app: LiveApp, open_page: OpenPage, scheme: str
) -> None:
    page = open_page(app.url, color_scheme=scheme)
    page.wait_for_selector(".lx-sample .lx-frame img")
    is_dark = "document.body.classList.contains('dark')"
    assert page.evaluate(is_dark) == (scheme == "dark")
    page.get_by_role("button", name=re.compile("Lights")).click()
    assert page.evaluate(is_dark) == (scheme == "light")
    again = open_again(page)
    again.wait_for_selector(".lx-sample .lx-frame img")
    assert again.evaluate(is_dark) == (scheme == "light")


@pytest.mark.parametrize("tab", TABS)
def test_a_phone_scrolls_down_only(app: LiveApp, open_page: OpenPage, tab: str) -> None:
    page = open_page(app.url, PHONE)
    page.wait_for_selector(".lx-sample .lx-frame img")
    open_tab(page, tab)
    page.locator(FILLED[tab]).first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    names = [button.inner_text() for button in page.get_by_role("tab").all()]
    assert names == TABS


def test_every_control_is_reached_by_keyboard_and_shows_it(browser_page: Page) -> None:
    reached = []
    for _ in range(40):
        browser_page.keyboard.press("Tab")
        reached.append(
            browser_page.evaluate(
                """() => {
                  const active = document.activeElement;
                  if (active === document.body) return ["", ""];
                  const name = active.getAttribute("aria-label") || active.innerText
                    || (active.labels && active.labels[0] && active.labels[0].innerText) || "";
                  return [name.trim(), getComputedStyle(active).outlineStyle];
                }"""
            )
        )
    names = [name for name, _ in reached]
    for expected in ("Lights", "Sample", "Seed 0", "Start a morph here", "Model", "First seed",
                     "Roll", "How many", "Truncation", "Whole sheet", "Save PNG"):  # fmt: skip
        assert any(expected in name for name in names), (expected, names)
    assert [name for name, style in reached if name and style == "none"] == []


def test_the_switch_for_smooth_pixels_is_kept(browser_page: Page) -> None:
    loupe = "getComputedStyle(document.querySelector('.lx-loupe img')).imageRendering"
    assert browser_page.evaluate(loupe) == "pixelated"
    browser_page.get_by_role("button", name="Smooth").click()
    assert browser_page.evaluate(loupe) == "auto"
    again = open_again(browser_page)
    again.wait_for_selector(".lx-loupe img")
    assert again.evaluate(loupe) == "auto"
    again.get_by_role("button", name="Sharp").click()
    assert again.evaluate(loupe) == "pixelated"


def test_arrow_keys_walk_over_the_contact_sheet(browser_page: Page) -> None:
    browser_page.get_by_role("option", name="Seed 0", exact=True).focus()
    browser_page.keyboard.press("ArrowRight")
    browser_page.keyboard.press("ArrowRight")
    browser_page.keyboard.press("ArrowLeft")
    assert browser_page.evaluate("document.activeElement.dataset.seed") == "1"
    browser_page.get_by_alt_text("Seed 1, enlarged").wait_for()
    browser_page.keyboard.press("End")
    assert browser_page.evaluate("document.activeElement.dataset.seed") == "15"
