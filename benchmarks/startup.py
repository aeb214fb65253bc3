"""Time from starting `python app.py` until a browser shows the first sample.

The browser is open already; it loads the page as soon as the app answers. The clock stops when
the first image of the sample grid is decoded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.chromium import open_chromium
from benchmarks.measurement import Context, Goal, Measurement
from benchmarks.page import open_page, require_chromium, start_app, wait_for_sample

GOAL_SECONDS = 8.0


def run_startup(context: Context) -> Iterator[Measurement]:
    """Measure the seconds from process start to the first sample on the page."""
    with open_chromium(require_chromium()) as browser:
        seconds = []
        for _ in range(context.choose_runs(4, 1)):
            start = time.perf_counter()
            with start_app(context) as app, open_page(browser, app) as page:
                wait_for_sample(page)
                seconds.append(time.perf_counter() - start)
    # The first start also fills the file cache of the operating system: a warm-up.
    counted = tuple(seconds[1:] or seconds)
    yield Measurement("python app.py to the first sample", "s", counted, Goal(GOAL_SECONDS))
