"""The real page in a real browser: what a user does, and the pixels that come back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from explorer.latents import interpolate_slerp, sample_latents
from explorer.recipe import read_recipe
from explorer.replay import replay_recipe
from tests.browser.conftest import PHONE, OpenPage, open_tab, read_uri
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
SETTLED = """() => {
  const morph = document.querySelector(".lx-morph");
  return morph.dataset.exact === Number(morph.querySelector("input").value).toFixed(3);
}"""


def read_sheet(page: Page) -> dict[int, np.ndarray]:
    """Return the images of the contact sheet by seed."""
    frames = page.locator(".lx-sample .lx-frame").all()
    return {
        int(frame.get_attribute("data-seed") or -1): read_uri(
            frame.locator("img").get_attribute("src")
        )
        for frame in frames
    }


def open_again(page: Page) -> Page:
    """Open the same address again in the same profile."""
    again = page.context.new_page()
    again.goto(page.url)
    return again


def open_morph(page: Page) -> None:
    open_tab(page, "Interpolate")
    page.wait_for_selector(".lx-morph:not(.is-empty)")
    page.wait_for_function(SETTLED)


def read_stage(page: Page) -> np.ndarray:
    return read_uri(page.evaluate("document.querySelector('.lx-stage').toDataURL('image/png')"))


def wait_for_seeds(page: Page, seeds: range) -> None:
    page.wait_for_function(
        """(seeds) => JSON.stringify([...document.querySelectorAll(".lx-sample .lx-frame")]
             .map((frame) => Number(frame.dataset.seed))) === JSON.stringify(seeds)""",
        arg=list(seeds),
    )


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


def test_a_gif_is_made_shown_and_downloaded(browser_page: Page, tmp_path: Path) -> None:
    open_morph(browser_page)
    browser_page.get_by_label("Frames from A to B").fill("6")
    browser_page.get_by_role("button", name="Make GIF").click()
    browser_page.get_by_text("10 frames, 25 per second").wait_for()
    browser_page.get_by_alt_text("Your GIF").wait_for()
    assert browser_page.get_by_role("button", name="Play GIF").count() == 0
    # Gradio's row of buttons has a border even where there is none.
    assert browser_page.locator(".lx-made .icon-button-wrapper:visible").count() == 0
    with browser_page.expect_download() as download:
        browser_page.get_by_role("button", name="Download GIF").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    with Image.open(path) as image:
        assert (image.format, image.size, getattr(image, "n_frames", 1)) == ("GIF", (256, 256), 10)
        for frame in range(10):
            image.seek(frame)
            image.load()
    assert read_recipe(path).seeds == (0, 1)


def test_a_gif_rests_for_whoever_wants_less_motion(app: LiveApp, open_page: OpenPage) -> None:
    """Its first frame is shown until Play; others see it move at once."""
    page = open_page(app.url, reduced_motion="reduce")
    page.wait_for_selector(".lx-sample .lx-frame img")
    open_morph(page)
    page.get_by_label("Frames from A to B").fill("6")
    page.get_by_label("Pixels", exact=True).click()
    page.get_by_role("option", name="As the model made it").click()
    page.get_by_role("button", name="Make GIF").click()
    frame = page.get_by_role("img", name="Your GIF, its first frame")
    frame.wait_for()
    gif = page.get_by_alt_text("Your GIF", exact=True)
    assert gif.is_hidden()
    shown = read_uri(frame.evaluate("(canvas) => canvas.toDataURL('image/png')"))
    path = max(app.exports.rglob("*.gif"), key=lambda path: path.stat().st_mtime_ns)
    with Image.open(path) as image:
        np.testing.assert_array_equal(shown, np.asarray(image.convert("RGB")))
    page.get_by_role("button", name="Play GIF").click()
    gif.wait_for()
    assert frame.is_hidden()
    page.get_by_role("button", name="Stop GIF").click()
    frame.wait_for()
    assert gif.is_hidden()
    # Of the next one, too, while the one before is hidden.
    page.get_by_label("Seed A").fill("5")
    page.wait_for_function("document.querySelector('.lx-end b').textContent === '5'")
    page.get_by_role("button", name="Make GIF").click()
    page.wait_for_function(
        "(before) => document.querySelector('.lx-still canvas').toDataURL('image/png') !== before",
        arg=frame.evaluate("(canvas) => canvas.toDataURL('image/png')"),
    )
    assert gif.is_hidden()
    shown = read_uri(frame.evaluate("(canvas) => canvas.toDataURL('image/png')"))
    path = max(app.exports.rglob("*.gif"), key=lambda path: path.stat().st_mtime_ns)
    with Image.open(path) as image:
        np.testing.assert_array_equal(shown, np.asarray(image.convert("RGB")))


def test_an_export_can_be_cancelled_and_started_again(browser_page: Page) -> None:
    open_morph(browser_page)
    browser_page.get_by_label("Frames from A to B").fill("600")
    browser_page.get_by_role("button", name="Make GIF").click()
    browser_page.get_by_text(re.compile(r"Writing frame \d+ of 1198")).wait_for()
    browser_page.get_by_role("button", name="Cancel").click()
    browser_page.get_by_text("No GIF was made.").wait_for()
    browser_page.get_by_label("Frames from A to B").fill("3")
    browser_page.get_by_role("button", name="Make GIF").click()
    browser_page.get_by_text("4 frames, 25 per second").wait_for()


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
