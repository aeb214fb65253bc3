"""Measure the resident memory of the app and its child processes, the browser not included."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.chromium import open_chromium
from benchmarks.measurement import Context, Goal, Measurement
from benchmarks.page import open_page, require_chromium, start_app, wait_for_sample

GOAL_MEGABYTES = 900.0


def run_memory(context: Context) -> Iterator[Measurement]:
    """Measure the megabytes resident once the first sample is on the page."""
    with open_chromium(require_chromium()) as browser:
        megabytes = []
        for _ in range(context.choose_runs(3, 1)):
            with start_app(context) as app, open_page(browser, app) as page:
                wait_for_sample(page)
                megabytes.append(read_resident_bytes(app.process.pid) / 1e6)
    what = "resident after the first sample"
    yield Measurement(what, "MB", tuple(megabytes), Goal(GOAL_MEGABYTES))


def read_resident_bytes(pid: int) -> int:
    """Return the resident bytes of a process and its children; shared pages count in each."""
    import psutil

    process = psutil.Process(pid)
    return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])
