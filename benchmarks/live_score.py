"""Time live scores: how soon the first value comes, how often a new one, and what sliders feel.

Cold and gaps are timed in a browser, in a fresh app whose page has been drawn: from the click on
Score, at once after the Compare tab was opened (which starts to load the extractor), until the
first row of the table has a value; then from one new number of samples in the table to the next,
over all models. Warm is timed from the call of the public endpoint for models not scored yet, with
the extractor loaded, until its first value. Asking again is timed from the click on Score until
the last known value is shown. While another comparison of thousands of samples runs, the morph
slider is moved as in slider.py. Scores are kept in a folder of the benchmark's own, so that none
is known before.

The longest gap of one model is timed on the worker that the app runs scores on, without a browser:
from one score that differs from the one before it, in its number of samples or any of its numbers,
to the next, up to 4,000 samples and the last exact interval and limit.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.chromium import open_chromium
from benchmarks.measurement import Context, Goal, Measurement, UnavailableError
from benchmarks.page import (
    RunningApp,
    open_page,
    require_chromium,
    show_morph,
    start_app,
    wait_for_sample,
)
from benchmarks.slider import RECORD, rest_and_measure

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

GOAL_FIRST_SECONDS = 3.0
GOAL_GAP_SECONDS = 1.0
NUM_AGAIN_SAMPLES = 256
NUM_WARM_SAMPLES = 64
NUM_LONG_SAMPLES = 10_000
NUM_ALONE_SAMPLES = 4000
RECORD_VALUES = """() => {
  const board = document.querySelector(".lx-board");
  const log = window.scoreLog = { clicked: 0, values: [], texts: {} };
  const buttons = [...document.querySelectorAll("button")];
  buttons.find((button) => button.innerText === "Score")
    .addEventListener("click", (event) => { log.clicked = event.timeStamp; }, true);
  new MutationObserver(() => {
    for (const row of board.querySelectorAll("tbody tr")) {
      const samples = row.children[3].textContent;
      if (samples === "–" || log.texts[row.dataset.model] === samples) continue;
      log.texts[row.dataset.model] = samples;
      log.values.push(performance.now());
    }
  }).observe(board, { childList: true, subtree: true });
}"""


@dataclass(frozen=True)
class ScoringRun:
    """Hold the seconds to the first value and between values, and the models they are of."""

    first: float
    gaps: tuple[float, ...]
    models: frozenset[str]


def run_live_score(context: Context) -> Iterator[Measurement]:
    """Measure first values, gaps between values, asking again, and the slider meanwhile."""
    cold: list[float] = []
    gaps: list[float] = []
    warm: list[float] = []
    again: list[float] = []
    before: list[float] = []
    during: list[float] = []
    with open_chromium(require_chromium()) as browser:
        for _ in range(context.choose_runs(3, 1)):
            with use_own_cache(), start_app(context) as app:
                before += measure_slider(context, browser, app)
                run = measure_scoring(context, browser, app)
                cold.append(run.first)
                gaps += run.gaps
                warm += measure_warm(app, run.models)
                with score_meanwhile(browser, app):
                    during += measure_slider(context, browser, app)
                again += measure_again(context, browser, app)
    alone = tuple(measure_longest_gap(context) for _ in range(context.choose_runs(3, 1)))
    goal = Goal(GOAL_FIRST_SECONDS)
    yield Measurement("cold: click to the first value", "s", tuple(cold), goal)
    yield Measurement("warm: call to the first value", "s", tuple(warm), goal)
    yield Measurement("from one value to the next", "s", tuple(gaps), Goal(GOAL_GAP_SECONDS))
    what = "one model up to {:,} samples: longest time without news"
    num_samples = context.choose_runs(NUM_ALONE_SAMPLES, NUM_AGAIN_SAMPLES)
    yield Measurement(what.format(num_samples), "s", alone, Goal(GOAL_GAP_SECONDS))
    yield Measurement("asking again: click to all values", "s", tuple(again))
    what = "slider at rest: last input to the exact image"
    yield Measurement(f"{what}, nothing else running", "ms", tuple(before))
    yield Measurement(f"{what}, while scores come in", "ms", tuple(during))


@contextlib.contextmanager
def use_own_cache() -> Iterator[None]:
    """Let programs started in the block keep their caches in a folder that is removed."""
    kept = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            yield
        finally:
            os.environ.pop("XDG_CACHE_HOME")
            if kept is not None:
                os.environ["XDG_CACHE_HOME"] = kept


def measure_slider(context: Context, browser: Browser, app: RunningApp) -> list[float]:
    """Measure the milliseconds to the exact image at rest."""
    with open_page(browser, app) as page:
        wait_for_sample(page)
        show_morph(page)
        page.evaluate(RECORD)
        return list(rest_and_measure(page, context.choose_runs(15, 5)))


def measure_scoring(context: Context, browser: Browser, app: RunningApp) -> ScoringRun:
    """Measure the seconds to the first value, and from each value to the next for a while."""
    with open_page(browser, app) as page:
        wait_for_sample(page)
        show_morph(page)  # what the page draws when it opens is there by then
        open_compare(page)
        page.evaluate(RECORD_VALUES)
        click_score(page)
        page.wait_for_function(
            "(count) => window.scoreLog.values.length > count", arg=context.choose_runs(30, 6)
        )
        log = page.evaluate("() => window.scoreLog")
        stop_score(page)
    times = log["values"]
    gaps = tuple((late - early) / 1000 for early, late in itertools.pairwise(times))
    return ScoringRun((times[0] - log["clicked"]) / 1000, gaps, frozenset(log["texts"]))


def measure_warm(app: RunningApp, scored: frozenset[str]) -> list[float]:
    """Measure the seconds from a call to the first value of models that are not scored yet."""
    from gradio_client import Client  # type: ignore[import-untyped]

    from explorer.ui.tabs.compare import MAX_MODELS

    client = Client(app.url, verbose=False)
    try:
        cards = client.predict(api_name="/list_models")
        names = [card["name"] for card in cards if card["name"] not in scored]
        if not names:
            raise UnavailableError("it takes more models in checkpoints/ than Compare chooses")
        start = time.perf_counter()
        job = client.submit(names[:MAX_MODELS], NUM_WARM_SAMPLES, api_name="/score")
        for rows in job:
            if any(row["value"] is not None for row in rows):
                seconds = time.perf_counter() - start
                job.cancel()
                return [seconds]
        raise UnavailableError(f"no model got a value: {job.exception()}")
    finally:
        client.close()


def measure_longest_gap(context: Context) -> float:
    """Measure the longest time in seconds in which a model's score does not change."""
    from explorer.comparison import stream_comparison
    from explorer.feature_bank import FeatureBank
    from explorer.library import CheckpointLibrary
    from explorer.sampler import Sampler
    from explorer.worker import Worker
    from training.devices import select_device

    library = CheckpointLibrary(context.root / "checkpoints")
    if not library.names:
        raise UnavailableError("it takes a model in checkpoints/")
    bank = FeatureBank(Sampler(library, select_device(context.device)))
    num_samples = context.choose_runs(NUM_ALONE_SAMPLES, NUM_AGAIN_SAMPLES)
    worker = Worker()
    times, shown = [], None
    for update in worker.run(
        lambda: stream_comparison(bank, library.names[:1], num_samples=num_samples)
    ):
        if update.score != shown:
            shown = update.score
            times.append(time.perf_counter())
    worker.shut_down()
    return max(late - early for early, late in itertools.pairwise(times))


@contextlib.contextmanager
def score_meanwhile(browser: Browser, app: RunningApp) -> Iterator[None]:
    """Let scores come in on a page of their own while the block runs."""
    with open_page(browser, app) as page:
        wait_for_sample(page)
        open_compare(page)
        choose_samples(page, NUM_LONG_SAMPLES)
        page.evaluate(RECORD_VALUES)
        click_score(page)
        page.wait_for_function("() => window.scoreLog.values.length > 3")
        yield
        stop_score(page)


def measure_again(context: Context, browser: Browser, app: RunningApp) -> Iterator[float]:
    """Measure the seconds until known scores are shown again."""
    with open_page(browser, app) as page:
        page.set_default_timeout(600_000)
        wait_for_sample(page)
        open_compare(page)
        choose_samples(page, NUM_AGAIN_SAMPLES)
        click_score(page)
        page.get_by_text("Scored 256 samples").wait_for()
        for _ in range(context.choose_runs(5, 2)):
            # A reload clears the board and the log, as for somebody who comes back later.
            page.reload()
            wait_for_sample(page)
            open_compare(page)
            choose_samples(page, NUM_AGAIN_SAMPLES)
            page.evaluate(RECORD_VALUES)
            click_score(page)
            page.get_by_text("kept from an earlier time").wait_for()
            log = page.evaluate("() => window.scoreLog")
            yield (log["values"][-1] - log["clicked"]) / 1000


def open_compare(page: Page) -> None:
    """Open the tab with the scores."""
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="Score", exact=True).wait_for()


def choose_samples(page: Page, count: int) -> None:
    """Choose how many samples are scored."""
    page.get_by_label("Samples per model").click()
    page.get_by_role("option", name=str(count), exact=True).click()


def click_score(page: Page) -> None:
    """Ask for scores."""
    page.get_by_role("button", name="Score", exact=True).click()


def stop_score(page: Page) -> None:
    """Stop the scores and wait until the button says so."""
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped; the values so far are below.").wait_for()
