"""What tests do on the page, and what they read off it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.browser.conftest import open_tab, read_uri

if TYPE_CHECKING:
    from playwright.sync_api import Page

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
