"""Jobs that have to wait for those of other visitors: what the page says, and how to leave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from explorer.ui.context import MAX_SCORE_JOBS
from tests.browser.conftest import OpenPage, open_tab
from tests.explorer.ui.live_app import LiveApp

if TYPE_CHECKING:
    from playwright.sync_api import Page

WAITING = "Waiting until another one ends."


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).locator("visible=true").click()


def wait_for_rest(page: Page, start: str, stop: str) -> None:
    """Wait until a job can be started, and none can be stopped."""
    for name, state in ((start, ":enabled"), (stop, ":disabled")):
        button = page.get_by_role("button", name=name, exact=True).locator("visible=true")
        button.and_(page.locator(state)).wait_for()


def open_export(page: Page, num_frames: int, pixels: int = 128) -> None:
    page.wait_for_selector(".lx-sample .lx-frame img")
    open_tab(page, "Interpolate")
    page.wait_for_selector(".lx-morph:not(.is-empty)")
    page.get_by_label("Frames from A to B").fill(str(num_frames))
    page.get_by_label("Pixels", exact=True).click()
    page.get_by_role("option", name=str(pixels)).click()


def count_files(app: LiveApp) -> int:
    return sum(path.is_file() for path in app.exports.rglob("*"))


def test_a_second_visitors_gif_waits_and_can_be_cancelled(
    app: LiveApp, open_page: OpenPage
) -> None:
    page = open_page(app.url)
    open_export(page, 3)
    before = count_files(app)
    with app.context.exporting.join():
        press(page, "Make GIF")
        page.get_by_text(WAITING).wait_for()
        press(page, "Cancel")
        page.get_by_text("No file was made.").wait_for()
        wait_for_rest(page, "Make GIF", "Cancel")
        assert count_files(app) == before

        press(page, "Make GIF")
        page.get_by_text(WAITING).wait_for()
    page.get_by_text("4 frames, 25 per second").wait_for()
    wait_for_rest(page, "Make GIF", "Cancel")
    assert count_files(app) == before + 1


def test_a_gif_that_is_cancelled_lets_the_next_visitor_in(
    app: LiveApp, open_page: OpenPage
) -> None:
    first, second = open_page(app.url), open_page(app.url)
    open_export(first, 600, 512)  # takes longer than two clicks
    open_export(second, 3)
    before = count_files(app)
    press(first, "Make GIF")
    first.get_by_text(re.compile(r"Writing frame \d+ of 1198")).wait_for()
    press(second, "Make GIF")
    second.get_by_text(WAITING).wait_for()
    press(first, "Cancel")
    first.get_by_text("No file was made.").wait_for()
    second.get_by_text("4 frames, 25 per second").wait_for()
    assert count_files(app) == before + 1  # the second one's


def test_a_visitor_who_leaves_gives_up_the_place_in_line(app: LiveApp, open_page: OpenPage) -> None:
    with app.context.exporting.join():
        leaver, stayer = open_page(app.url), open_page(app.url)
        for page in (leaver, stayer):
            open_export(page, 3)
            press(page, "Make GIF")
            page.get_by_text(re.compile("Waiting until")).wait_for()
        stayer.get_by_text("Waiting until 2 others end.").wait_for()
        leaver.close()
        stayer.get_by_text(WAITING).wait_for()
    stayer.get_by_text("4 frames, 25 per second").wait_for()


@pytest.fixture
def full_line(app: LiveApp) -> Iterator[ExitStack]:
    """Take all places for scores and diagnoses, until the stack is closed."""
    with ExitStack() as places:
        for _ in range(MAX_SCORE_JOBS):
            places.enter_context(app.context.scoring.join())
        yield places


@pytest.mark.parametrize(
    ("tab", "start", "begun"),
    [("Compare", "Score", ".lx-board tbody tr"), ("Diagnose", "Diagnose", ".lx-verdict")],
)
def test_a_fifth_score_or_diagnosis_waits_and_can_be_stopped(
    browser_page: Page, full_line: ExitStack, tab: str, start: str, begun: str
) -> None:
    open_tab(browser_page, tab)
    press(browser_page, start)
    browser_page.get_by_text(WAITING).first.wait_for()
    press(browser_page, "Stop")
    wait_for_rest(browser_page, start, "Stop")
    browser_page.get_by_text(WAITING).first.wait_for(state="detached")

    press(browser_page, start)
    browser_page.get_by_text(WAITING).first.wait_for()
    assert browser_page.locator(begun).count() == 0
    full_line.close()
    browser_page.locator(begun).first.wait_for()
