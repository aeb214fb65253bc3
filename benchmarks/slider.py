"""Time the morph slider in a browser, dragged with the mouse at 60 moves a second.

The clock of a move starts with the browser's own time stamp of the input event and stops after the
frame that shows the new image was drawn. Images per second counts the frames drawn during the drag.
When the hand rests, the page replaces the nearest in-between by the exact image from the server:
that is timed from the last input event until the exact image is drawn, the page's pause included.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.chromium import open_chromium
from benchmarks.measurement import Context, Measurement
from benchmarks.page import open_page, require_chromium, show_morph, start_app, wait_for_sample

if TYPE_CHECKING:
    from playwright.sync_api import Page

MOVES_PER_SECOND = 60

RECORD = """() => {
  const root = document.querySelector(".lx-morph");
  const log = window.sliderLog = { latencies: [], frames: [], exact: [], lastInput: 0 };
  root.querySelector("input[type=range]").addEventListener("input", (event) => {
    log.lastInput = event.timeStamp;
    requestAnimationFrame((frame) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        log.latencies.push(performance.now() - event.timeStamp);
        if (log.frames.at(-1) !== frame) log.frames.push(frame);
      };
      port2.postMessage(null);
    });
  });
  new MutationObserver(() => {
    if (root.dataset.exact) log.exact.push(performance.now() - log.lastInput);
  }).observe(root, { attributes: true, attributeFilter: ["data-exact"] });
}"""


def run_slider(context: Context) -> Iterator[Measurement]:
    """Measure milliseconds per slider move, images per second, and time to the exact image."""
    num_drags = context.choose_runs(5, 1)
    latencies: list[float] = []
    rates: list[float] = []
    with (
        open_chromium(require_chromium()) as browser,
        start_app(context) as app,
        open_page(browser, app) as page,
    ):
        wait_for_sample(page)
        show_morph(page)
        page.evaluate(RECORD)
        drag(page, seconds=0.5)
        for _ in range(num_drags):
            clear(page)
            drag(page, seconds=2.0)
            log = read_log(page)
            latencies += log["latencies"]
            rates.append(1000 * (len(log["frames"]) - 1) / (log["frames"][-1] - log["frames"][0]))
        exact = list(rest_and_measure(page, context.choose_runs(25, 3)))
    yield Measurement("drag: input event to drawn image", "ms", tuple(latencies))
    yield Measurement("drag: images drawn a second", "images/s", tuple(rates))
    yield Measurement("at rest: last input to the exact image", "ms", tuple(exact))


def drag(page: Page, seconds: float) -> None:
    """Drag the slider from its left end to its right end in even moves."""
    box = page.locator(".lx-morph input[type=range]").bounding_box()
    assert box is not None, "the slider has no place on the page"
    height = box["y"] + box["height"] / 2
    num_moves = round(seconds * MOVES_PER_SECOND)
    page.mouse.move(box["x"] + 8, height)
    page.mouse.down()
    start = time.perf_counter()
    for move in range(1, num_moves + 1):
        page.mouse.move(box["x"] + 8 + (box["width"] - 16) * move / num_moves, height)
        time.sleep(max(0.0, start + move / MOVES_PER_SECOND - time.perf_counter()))
    page.mouse.up()


def rest_and_measure(page: Page, num_runs: int) -> Iterator[float]:
    """Move the slider to new places by keyboard, wait each time for the exact image."""
    slider = page.locator(".lx-morph input[type=range]")
    for _ in range(num_runs):
        wait_for_exact(page)
        clear(page)
        slider.press("ArrowLeft")
        wait_for_exact(page)
        yield read_log(page)["exact"][-1]


def wait_for_exact(page: Page) -> None:
    """Wait until the exact image of the present position is drawn."""
    page.wait_for_function(
        """() => {
          const root = document.querySelector(".lx-morph");
          const position = Number(root.querySelector("input[type=range]").value);
          return root.dataset.exact === position.toFixed(3);
        }""",
        polling="raf",
    )


def clear(page: Page) -> None:
    """Forget what was recorded."""
    page.evaluate(
        "() => { for (const name of ['latencies', 'frames', 'exact']) "
        "window.sliderLog[name].length = 0; }"
    )


def read_log(page: Page) -> dict[str, Any]:
    """Return what the page has recorded since it was cleared."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    return dict(page.evaluate("() => window.sliderLog"))
