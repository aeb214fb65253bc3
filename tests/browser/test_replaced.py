"""A training replaces a checkpoint behind an open page, which then mixes no two generators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from explorer.recipe import read_recipe
from tests.browser.conftest import LONG_MS, OpenPage, open_tab
from tests.browser.driving import open_morph, read_sheet, wait_for_seeds
from tests.browser.test_diagnose import DONE, find_cell, find_verdict, start
from tests.explorer.ui.live_app import LiveApp, fill_folder, serve
from training.files import write_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page, Route

DRAWN = re.compile("one has been written again since this was drawn: press Rescan on the Models")


@pytest.fixture
def page(clinic: LiveApp, open_page: OpenPage) -> Page:
    """Open the page on the model "one"."""
    page = open_page(clinic.url)
    page.get_by_role("listbox", name="Samples of one").wait_for()
    return page


def test_a_page_says_which_model_has_gone(tmp_path: Path, open_page: OpenPage) -> None:
    """One that opens has nothing else to show, and a toast would leave it waiting for ever."""
    with serve(fill_folder(tmp_path / "checkpoints"), tmp_path / "exports") as app:
        first = app.library.names[0]
        app.library.get(first).path.unlink()
        page = open_page(app.url)
        for tab in ("Sample", "Interpolate", "Compare"):
            open_tab(page, tab)
            panel = page.get_by_role("tabpanel").filter(visible=True)
            panel.get_by_text(f"{first}.safetensors has gone from").wait_for()
        page.close()


@contextmanager
def replaced(app: LiveApp) -> Iterator[None]:
    """Let the file of "one" hold other weights for a while: those of "stuck"."""
    path = app.library.get("one").path
    original = path.read_bytes()
    # As a training does: whoever reads meanwhile finds one file or the other, whole.
    write_bytes(path, app.library.get("stuck").path.read_bytes())
    try:
        yield
    finally:
        write_bytes(path, original)


def rescan(page: Page) -> None:
    open_tab(page, "Models")
    page.get_by_role("button", name="Rescan").click()


def save_png(page: Page, path: Path) -> np.ndarray:
    """Save the sheet, or what is chosen, and return its pixels."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save PNG").click()
    download.value.save_as(path)
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_latest_choice_is_saved_whatever_becomes_of_requests(
    page: Page, tmp_path: Path
) -> None:
    page.route("**/gradio_api/run/**", lambda route: None)  # those outside the queue never arrive
    for seed in (6, 9):
        page.get_by_role("option", name=f"Seed {seed}", exact=True).click()
    page.get_by_label("Chosen image").check()
    save_png(page, tmp_path / "chosen.png")
    assert read_recipe(tmp_path / "chosen.png").seeds == (9,)
    page.unroute_all()


def test_what_is_saved_is_the_sheet_on_the_screen(
    page: Page, clinic: LiveApp, tmp_path: Path
) -> None:
    with replaced(clinic):
        page.get_by_role("button", name="Save PNG").click()
        page.get_by_test_id("toast-body").get_by_text(DRAWN).wait_for()
        page.get_by_test_id("toast-close").click()
        page.get_by_test_id("toast-body").wait_for(state="detached")
        page.get_by_role("button", name="Start a morph here").click()  # with the face it shows
        page.get_by_test_id("toast-body").get_by_text(DRAWN).wait_for()
        page.get_by_label("First seed").fill("7")  # another sheet is of the newer weights
        wait_for_seeds(page, range(7, 23))
        drawn = list(read_sheet(page).values())
        np.testing.assert_array_equal(drawn, clinic.sampler.sample_seeds("one", range(7, 23)))
        save_png(page, tmp_path / "sheet.png")
        checkpoint = read_recipe(tmp_path / "sheet.png").checkpoint
        assert checkpoint == clinic.library.get_fingerprint("stuck")


def test_a_morph_says_that_its_weights_were_replaced_and_makes_no_gif_of_others(
    page: Page, clinic: LiveApp
) -> None:
    open_morph(page)
    sentence = page.locator(".lx-morph .lx-replaced")
    assert sentence.inner_text() == ""
    with replaced(clinic):
        page.get_by_label("Go to t = 1.00").click()
        sentence.get_by_text(DRAWN).wait_for()
        page.get_by_role("button", name="Make GIF").click()
        page.get_by_test_id("toast-body").get_by_text(DRAWN).wait_for()
        rescan(page)
        open_tab(page, "Interpolate")
        sentence.wait_for(state="hidden")
        page.get_by_label("Frames from A to B").fill("3")
        page.get_by_role("button", name="Make GIF").click()
        page.get_by_text("4 frames, 25 per second").wait_for()


def test_verdicts_and_scores_are_marked_after_a_rescan(page: Page, clinic: LiveApp) -> None:
    open_tab(page, "Diagnose")
    start(page, ["one", "stuck"])
    page.wait_for_function(DONE, timeout=LONG_MS)
    open_tab(page, "Compare")
    page.get_by_label("Samples per model").locator("visible=true").click()
    page.get_by_role("option", name="256", exact=True).click()
    page.get_by_role("button", name="Score", exact=True).click()
    page.get_by_text("Scored 256 samples of each model").wait_for(timeout=LONG_MS)
    board = page.locator(".lx-board")
    assert board.locator(".lx-replaced").count() == 0
    with replaced(clinic):
        rescan(page)
        open_tab(page, "Compare")
        marks = board.locator(".lx-replaced")
        marks.get_by_text("one has been written again since it was scored").wait_for()
        assert marks.count() == 1
        open_tab(page, "Diagnose")
        mark = find_verdict(page, "one").locator(".lx-replaced")
        mark.get_by_text("one has been written again since it was diagnosed").wait_for()
        assert find_verdict(page, "stuck").locator(".lx-replaced").count() == 0
        find_cell(page, "duplicates").locator(".lx-pair").first.click()  # no pair of theirs
        page.get_by_test_id("toast-body").get_by_text("since it was diagnosed").wait_for()
    rescan(page)  # the old file is back
    open_tab(page, "Diagnose")
    mark.wait_for(state="detached")


def test_a_picture_that_would_be_of_other_weights_is_not_shown(page: Page, clinic: LiveApp) -> None:
    open_tab(page, "Diagnose")
    held: list[Route] = []
    is_held = True
    page.route(
        re.compile("component_server"),
        lambda route: held.append(route) if is_held else route.continue_(),
    )
    start(page, ["one"])
    page.wait_for_function(DONE, timeout=LONG_MS)
    with replaced(clinic):
        is_held = False
        for route in held:
            route.continue_()
        mark = find_verdict(page, "one").locator(".lx-replaced")
        mark.get_by_text("one has been written again since it was diagnosed").wait_for()
        cell = find_cell(page, "duplicates")
        cell.locator("img.is-absent").first.wait_for(state="attached")
        assert cell.locator("img[src]").count() == 0
