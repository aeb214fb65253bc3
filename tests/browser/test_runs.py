"""A training watched in a real browser while its files grow."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import PHONE, OpenPage, open_tab, read_uri
from tests.explorer.ui.live_app import LiveApp, fill_folder, serve
from training.config import TrainConfig
from training.datasets import DatasetOptions
from training.files import write_bytes
from training.history import HistoryWriter
from training.runs import RunFolder, RunOptions

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

ATTACK = '<img src=x onerror="window.attacked=1">${window.attacked=1}{{window.attacked=1}}'
HOSTILE_NAME = "a<img src=x onerror=window.attacked=1>`${window.attacked=1}`"
LOOK = re.compile("component_server")
COLOURS = {0: (10, 20, 30), 250: (90, 100, 110), 500: (200, 40, 60)}


class Training:
    """Write a run as the trainer does, a row at a time."""

    def __init__(self, folder: Path, name: str = "growing", num_steps: int = 1000) -> None:
        self.folder = RunFolder(folder / name)
        config = TrainConfig("dcgan", "avatars", "run", steps=num_steps).resolve()
        options = DatasetOptions(resolution=32)
        self.folder.save_options(RunOptions(config, options, folder, "the command"))
        self.writer = HistoryWriter(self.folder.metrics_path)

    def write_row(self, step: int, **values: Any) -> None:
        """Write the row of a log line."""
        self.writer.write({"step": step, "images_seen": 32 * step, "seconds": step / 10,
                           "loss_d": 0.7, "loss_g": 1 + step / 1000, "d_real": 0.6, "d_fake": 0.4,
                           "penalty": 0.0, "images_per_second": 320.0, **values})  # fmt: skip

    def write_score(self, step: int, score: float) -> None:
        """Write the row of a score."""
        self.writer.write({"step": step, "images_seen": 32 * step, "score": score,
                           "score_name": "FD-Tiny", "interval": [score - 5, score + 5],
                           "noise_floor": 12.5, "num_samples": 64})  # fmt: skip

    def write_grid(self, step: int) -> None:
        """Write a grid of one colour."""
        self.folder.samples.mkdir(exist_ok=True)
        image = io.BytesIO()
        Image.new("RGB", (256, 256), COLOURS[step]).save(image, "PNG")
        write_bytes(self.folder.get_grid_path(step), image.getvalue())


@pytest.fixture
def live_app(tmp_path: Path, chromium: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveApp]:
    """Serve small models and a folder of runs that is not there yet."""
    # A run that is silent counts as ended, and on a busy machine so may these tests be.
    monkeypatch.setattr("explorer.run_files.SILENT_SECONDS", 3600)
    with serve(fill_folder(tmp_path / "checkpoints"), tmp_path / "exports") as app:
        yield app


@pytest.fixture
def training(live_app: LiveApp) -> Iterator[Training]:
    """Start a run of two rows, one score and two grids."""
    training = Training(live_app.context.runs.folder)
    training.write_row(20)
    training.write_row(40)
    training.write_score(40, 300.0)
    training.write_grid(0)
    training.write_grid(250)
    yield training
    training.writer.close()


def open_models(app: LiveApp, open_page: OpenPage, *viewport: dict[str, int]) -> Page:
    page = open_page(app.url, *viewport)
    page.wait_for_selector(".lx-sample .lx-frame img")
    open_tab(page, "Models")
    return page


def wait_for_grid(page: Page, step: int) -> None:
    page.locator(f".lx-run-grid[data-step='{step}']").wait_for()
    pixels = read_uri(page.locator(".lx-run-grid").get_attribute("src"))
    np.testing.assert_array_equal(pixels, np.full((256, 256, 3), COLOURS[step]))


@pytest.fixture
def watched(live_app: LiveApp, training: Training, open_page: OpenPage) -> Iterator[Page]:
    """Open the page on the run, with its newest grid shown; it is closed before its server goes."""
    page = open_models(live_app, open_page)
    wait_for_grid(page, 250)
    yield page
    page.close()


def test_a_run_that_starts_while_the_page_is_open_is_shown_and_grows(
    live_app: LiveApp, open_page: OpenPage
) -> None:
    page = open_models(live_app, open_page)
    section = page.get_by_role("region", name="Training runs")
    folder = live_app.context.runs.folder
    section.get_by_text(f"None in {folder} yet.").wait_for()
    assert f"--runs {folder}" in section.locator("code").inner_text()

    training = Training(folder)
    training.write_row(20)
    training.write_grid(0)
    # It runs, so it opens by itself.
    section.get_by_role("button", name="growing", expanded=True).wait_for()
    section.get_by_text("step 20 of 1,000").wait_for()
    wait_for_grid(page, 0)
    losses = section.get_by_role("img", name=re.compile("^Losses"))
    assert "generator: 1.02 at 20" in (losses.get_attribute("aria-label") or "")
    assert section.locator("[data-chart=penalty]").count() == 0

    training.write_row(500, loss_g=5.0)
    training.write_score(500, 123.4)
    training.write_grid(500)
    section.get_by_text("step 500 of 1,000").wait_for()
    section.get_by_text("123.4, 95 % interval 118.4 to 128.4, 64 samples").wait_for()
    section.get_by_role("img", name=re.compile("FD-Tiny: 123.4 at 500")).wait_for()
    wait_for_grid(page, 500)

    with training.folder.metrics_path.open("a") as file:
        file.write('damaged\n{"step": 600, "loss_')
    section.get_by_text("Left out of metrics.jsonl: 1 line that cannot be read.").wait_for()
    section.get_by_text("step 500 of 1,000").wait_for()
    training.writer.close()
    page.close()


def test_the_page_goes_on_watching_when_the_server_answers_again(
    watched: Page, training: Training
) -> None:
    """What is drawn stays meanwhile, and the page says why it stands still."""
    lost = watched.get_by_text("The server does not answer: is it still running? Asking again.")
    watched.route(LOOK, lambda route: route.fulfill(body="<html>a proxy's page</html>"))
    lost.wait_for()
    assert watched.locator(".lx-run-grid").get_attribute("src")
    watched.unroute(LOOK)
    training.write_row(500)
    watched.get_by_text("step 500 of 1,000").wait_for()
    lost.wait_for(state="hidden")


def test_a_run_that_is_closed_while_its_samples_play_opens_at_rest(
    watched: Page, training: Training
) -> None:
    training.write_grid(500)
    wait_for_grid(watched, 500)
    watched.get_by_role("button", name="Play", exact=True).click()
    row = watched.get_by_role("button", name="growing")
    row.click()  # closes it
    watched.locator(".lx-run-detail").wait_for(state="hidden")
    row.click()
    watched.get_by_role("button", name="Play", exact=True).click()  # not Pause: nothing moves
    watched.get_by_role("button", name="Play", exact=True).wait_for()  # at the end
    wait_for_grid(watched, 500)


def test_the_slider_goes_back_in_time_by_keyboard_and_follows_at_its_end(
    watched: Page, training: Training
) -> None:
    slider = watched.get_by_label("Step of the samples")
    slider.focus()
    watched.keyboard.press("Home")
    wait_for_grid(watched, 0)
    assert slider.get_attribute("aria-valuetext") == "step 0"
    assert watched.locator(".lx-run-charts .lx-cursor").count() > 0
    training.write_row(500)
    training.write_grid(500)
    watched.wait_for_function(
        "document.querySelector('[aria-label=\"Step of the samples\"]').max === '2'"
    )
    assert slider.input_value() == "0"  # who looks back is not pulled away
    assert watched.evaluate("document.activeElement.getAttribute('aria-label')") == (
        "Step of the samples"
    )
    wait_for_grid(watched, 0)
    watched.get_by_role("group", name="Training of growing").get_by_role(
        "button", name="Play"
    ).click()
    wait_for_grid(watched, 500)
    watched.get_by_role("button", name="Play", exact=True).last.wait_for()


def test_nothing_is_asked_while_another_tab_is_open(watched: Page, training: Training) -> None:
    watched.clock.install()
    asked: list[str] = []
    watched.on("request", lambda request: asked.append(request.url))
    with watched.expect_response(LOOK):
        pass  # the next look sets its timer by the clock installed
    open_tab(watched, "Sample")
    watched.wait_for_function("document.querySelector('.lx-runs').clientWidth === 0")
    asked.clear()
    for _ in range(5):
        watched.clock.fast_forward(10_000)
    assert [url for url in asked if LOOK.search(url)] == []
    training.write_row(60)
    open_tab(watched, "Models")
    watched.get_by_text("step 60 of 1,000").wait_for()


def test_a_run_opens_and_closes_by_keyboard_and_keeps_the_focus(
    watched: Page, training: Training
) -> None:
    detail = watched.get_by_role("group", name="Training of growing")
    row = watched.get_by_role("button", name="growing")
    row.focus()
    watched.keyboard.press("Enter")
    detail.wait_for(state="hidden")
    watched.keyboard.press("Enter")
    detail.wait_for()
    training.write_row(60)
    watched.get_by_text("step 60 of 1,000").wait_for()
    assert watched.evaluate("document.activeElement.dataset.run") == "growing"


def test_a_rewind_is_told_and_only_rates_that_fall_are_drawn(
    live_app: LiveApp, training: Training, open_page: OpenPage
) -> None:
    rates = {"learning_rate_g": 2e-4, "learning_rate_d": 2e-4}
    training.write_row(60, **rates)
    page = open_models(live_app, open_page)
    page.get_by_text("step 60 of 1,000").wait_for()
    wait_for_grid(page, 250)
    assert page.locator("[data-chart=learning_rate_g]").count() == 0
    reason = "The loss of the generator became inf at step 70"
    rates = {"learning_rate_g": 1e-4, "learning_rate_d": 1e-4}
    training.writer.write({"step": 60, "event": "rewind", "failed_step": 70, "num_rewinds": 1,
                           "reason": reason, **rates})  # fmt: skip
    training.write_row(80, **rates)
    page.get_by_text(f"{reason}: went back to step 60 with both learning rates halved").wait_for()
    chart = page.get_by_role("img", name=re.compile("^Learning rates"))
    assert "generator: 1.00 at 80" in (chart.get_attribute("aria-label") or "")
    assert page.locator("[data-chart=failed_step], [data-chart=num_rewinds]").count() == 0
    page.close()


def test_a_phone_shows_a_training_without_scrolling_sideways(
    live_app: LiveApp, training: Training, open_page: OpenPage
) -> None:
    page = open_models(live_app, open_page, PHONE)
    wait_for_grid(page, 250)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.close()


def test_hostile_names_options_and_columns_do_not_run(
    live_app: LiveApp, open_page: OpenPage
) -> None:
    hostile = Training(live_app.context.runs.folder, HOSTILE_NAME)
    hostile.write_row(20, **{ATTACK: 1.0})
    hostile.writer.write({"step": 20, "score": 5.0, "score_name": ATTACK})
    hostile.writer.close()
    values = json.loads(hostile.folder.options_path.read_text())
    values["config"] |= {"model": ATTACK, "data": ATTACK}
    hostile.folder.options_path.write_text(json.dumps(values))
    page = open_models(live_app, open_page)
    page.locator(".lx-run-charts h4", has_text="window.attacked").first.wait_for()
    section = page.get_by_role("region", name="Training runs").inner_text()
    assert HOSTILE_NAME in section
    assert ATTACK in section
    assert page.evaluate("window.attacked") is None
    assert page.locator("img[src=x]").count() == 0
    page.close()
