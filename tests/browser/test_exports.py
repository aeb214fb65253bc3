"""Animations in a real browser: made, shown, played, cancelled and downloaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from explorer.recipe import read_recipe
from explorer.replay import render_recipe
from tests.browser.conftest import OpenPage, read_uri
from tests.browser.driving import SETTLED, open_morph, read_stage
from tests.explorer.ui.live_app import LiveApp

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# A picture of what an element shows, drawn by the browser.
DRAW = """(element) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [256, 256];
    canvas.getContext("2d").drawImage(element, 0, 0);
    return canvas.toDataURL("image/png");
}"""
REWIND = """(video) => new Promise((done) => {
    video.pause();
    video.addEventListener("seeked", done, { once: true });
    video.currentTime = 0;
})"""
# What the image or video shows is there.
LOADED = """() => {
    const shown = document.querySelector(".lx-made > *");
    return shown?.naturalWidth === 256 || shown?.readyState >= 2;
}"""


def choose_format(page: Page, name: str) -> None:
    """Choose a format, and wait until the button says so."""
    page.get_by_label("Format", exact=True).click()
    page.get_by_role("option", name=name).click()
    page.get_by_role("button", name=f"Make {name}").wait_for()


def make(page: Page, name: str) -> Locator:
    """Make a morph of ten frames in a format, and wait until it is shown; skips where none is."""
    if name == "MP4" and not page.evaluate(
        "document.createElement('video').canPlayType('video/mp4; codecs=\"avc1.64001f\"')"
    ):
        pytest.skip("this browser has no H.264")
    open_morph(page)
    choose_format(page, name)
    page.get_by_label("Steady", exact=True).check()
    page.get_by_label("Frames from A to B").fill("6")
    page.get_by_role("button", name=f"Make {name}").click()
    page.get_by_text("10 frames, 25 per second, ").wait_for()
    page.wait_for_function(LOADED)
    label = f"Your {name}"
    shown = page.get_by_label(label) if name == "MP4" else page.get_by_alt_text(label)
    shown.wait_for()
    return shown


def test_a_gif_is_made_shown_and_downloaded(browser_page: Page, tmp_path: Path) -> None:
    open_morph(browser_page)
    browser_page.get_by_label("Frames from A to B").fill("6")
    browser_page.get_by_role("button", name="Make GIF").click()
    browser_page.get_by_text("10 frames, 25 per second").wait_for()
    browser_page.get_by_alt_text("Your GIF").wait_for()
    assert browser_page.get_by_role("button", name="Play GIF").count() == 0
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
    # Of the next one, too.
    page.get_by_label("Seed A").fill("5")
    page.wait_for_function("document.querySelector('.lx-end b').textContent === '5'")
    before = frame.evaluate("(canvas) => canvas.toDataURL('image/png')")  # the next is made fast
    page.get_by_role("button", name="Make GIF").click()
    page.wait_for_function(
        "(before) => ![undefined, before].includes("
        "document.querySelector('.lx-made canvas:not([hidden])')?.toDataURL('image/png'))",
        arg=before,
    )
    assert gif.is_hidden()
    shown = read_uri(frame.evaluate("(canvas) => canvas.toDataURL('image/png')"))
    path = max(app.exports.rglob("*.gif"), key=lambda path: path.stat().st_mtime_ns)
    with Image.open(path) as image:
        np.testing.assert_array_equal(shown, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(("name", "suffix"), [("WebP", "webp"), ("MP4", "mp4"), ("APNG", "apng")])
def test_other_formats_are_made_shown_and_downloaded(
    app: LiveApp, browser_page: Page, tmp_path: Path, name: str, suffix: str
) -> None:
    """The browser, which decodes them by itself, shows the colours of the model."""
    shown = make(browser_page, name)
    made = app.exports.rglob(f"*.{suffix}")
    recipe = read_recipe(max(made, key=lambda path: path.stat().st_mtime_ns))
    (image, *_) = render_recipe(recipe, app.sampler)
    assert recipe.pace == "steady"
    if name == "MP4":
        shown.evaluate(REWIND)
    difference = read_uri(shown.evaluate(DRAW)).astype(float) - image
    # Detail of colour may go, but areas keep theirs: another matrix is off by 10 and more.
    areas = difference.reshape(8, 32, 8, 32, 3).mean(axis=(1, 3))
    assert np.abs(areas).max() < 3
    with browser_page.expect_download() as download:
        browser_page.get_by_role("button", name=f"Download {name}").click()
    assert download.value.suggested_filename == f"one-0-to-1.{suffix}"
    download.value.save_as(tmp_path / "made")
    assert read_recipe(tmp_path / "made") == recipe


def test_a_video_plays_by_itself_unless_less_motion_is_wished(
    app: LiveApp, open_page: OpenPage, browser_page: Page
) -> None:
    calm = open_page(app.url, reduced_motion="reduce")
    calm.wait_for_selector(".lx-sample .lx-frame img")
    make(calm, "MP4")
    make(browser_page, "MP4")
    browser_page.wait_for_function("document.querySelector('.lx-made video').currentTime > 0")
    video = calm.get_by_label("Your MP4")
    state = video.evaluate("({paused, currentTime, loop}) => ({paused, currentTime, loop})")
    assert state == {"paused": True, "currentTime": 0, "loop": True}


def test_frames_for_editors_are_downloaded_and_not_shown(browser_page: Page) -> None:
    open_morph(browser_page)
    choose_format(browser_page, "PNG frames")
    browser_page.get_by_text("A zip of single images, for editors").wait_for()
    browser_page.get_by_label("Frames from A to B").fill("3")
    browser_page.get_by_role("button", name="Make PNG frames").click()
    browser_page.get_by_text(re.compile(r"^4 frames, [\d.]+ [kM]B$")).wait_for()
    browser_page.get_by_role("button", name="Download PNG frames").wait_for()
    assert browser_page.locator(".lx-made > *").count() == 0


def test_the_image_where_the_slider_is_is_saved(
    browser_page: Page, app: LiveApp, tmp_path: Path
) -> None:
    open_morph(browser_page)
    browser_page.get_by_label("Go to t = 0.30").click()
    browser_page.wait_for_function(SETTLED)
    shown = read_stage(browser_page)
    browser_page.get_by_label("Pixels", exact=True).click()
    browser_page.get_by_role("option", name="As the model made it").click()
    with browser_page.expect_download() as download:
        browser_page.get_by_role("button", name="Save the image at t").click()
    assert download.value.suggested_filename == "one-0-to-1-at-0.300.png"
    download.value.save_as(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), shown)
    recipe = read_recipe(tmp_path / "a.png")
    assert (recipe.kind, recipe.t, recipe.size) == ("frame", 0.3, 0)
    np.testing.assert_array_equal(render_recipe(recipe, app.sampler)[0], shown)


def test_an_export_can_be_cancelled_and_started_again(browser_page: Page) -> None:
    open_morph(browser_page)
    browser_page.get_by_label("Frames from A to B").fill("600")
    browser_page.get_by_role("button", name="Make GIF").click()
    browser_page.get_by_text(re.compile(r"Writing frame \d+ of 1198")).wait_for()
    browser_page.get_by_role("button", name="Cancel").click()
    browser_page.get_by_text("No file was made.").wait_for()
    browser_page.get_by_label("Frames from A to B").fill("3")
    browser_page.get_by_role("button", name="Make GIF").click()
    browser_page.get_by_text("4 frames, 25 per second").wait_for()
