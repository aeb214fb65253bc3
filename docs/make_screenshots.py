"""Take the screenshots in docs/images: python docs/make_screenshots.py [--checkpoints DIR].

Starts app.py over the folder, drives it with a headless Chromium, and writes one WebP per picture.
The picture "watch" needs a run with samples, best one that goes on: name its folder with --runs.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.chromium import INSTALL_HINT, find_chromium, open_chromium  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PORT = 7899
URL = f"http://127.0.0.1:{PORT}/"
MAX_BYTES = 300_000
MORPH_SEEDS = (2, 6)
# The map shows real images too: those of drawings, which may be shown.
DIAGNOSED, MAPPED = "sgan-celeba", "wgan_gp-avatars"
LABELLED, LABEL = "label_gan-miniavs", "hair"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}


def show_sample(page: Page) -> None:
    """Show the sheet with its third image under the loupe."""
    page.locator(".lx-sample .lx-frame").nth(2).click()


def show_labels(page: Page) -> None:
    """Show every value of a label for some seeds, each read by a stranger."""
    tab = page.locator("#tab-sample")
    tab.get_by_label("Model", exact=True).click()
    page.get_by_role("option", name=LABELLED).click()
    page.get_by_label("number input for How many").fill("8")
    tab.get_by_label("All values across").click()
    page.get_by_role("option", name=LABEL, exact=True).click()
    page.wait_for_selector(".lx-sample .lx-axis")
    page.get_by_label("Read the labels").check()
    page.wait_for_selector(".lx-verdict-mark")
    page.locator(".lx-sample .lx-frame").nth(17).click()


def show_interpolate(page: Page) -> None:
    """Show a morph two thirds of the way, with its exact frame."""
    page.get_by_role("tab", name="Interpolate").click()
    page.get_by_label("Seed A").fill(str(MORPH_SEEDS[0]))
    page.get_by_label("Seed B").fill(str(MORPH_SEEDS[1]))
    page.wait_for_function(
        """(seeds) => [...document.querySelectorAll('.lx-end b')]
          .map((end) => end.textContent).join() === seeds""",
        arg=",".join(map(str, MORPH_SEEDS)),
    )
    slider = page.get_by_label("Position t between A and B")
    slider.evaluate("(input) => { input.value = 0.64; input.dispatchEvent(new Event('input')); }")
    page.wait_for_function("document.querySelector('.lx-morph').dataset.exact === '0.640'")


def show_compare(page: Page) -> None:
    """Show the sheets of all chosen models."""
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_selector(".lx-column .lx-frame img")


def show_scores(page: Page) -> None:
    """Show the scores of all chosen models after some hundred samples."""
    show_compare(page)
    page.get_by_role("button", name="Score", exact=True).click()
    page.wait_for_function(
        """() => { const lines = [...document.querySelectorAll('.lx-chart polyline')];
          return lines.length > document.querySelectorAll('.lx-column').length
            && lines.every((line) => line.points.length > 18); }""",
        timeout=600_000,
    )


def show_diagnosis(page: Page, model: str = DIAGNOSED) -> None:
    """Show the verdict on one model over its evidence, after 512 samples."""
    page.get_by_role("tab", name="Diagnose").click()
    tab = page.locator("#tab-diagnose")
    tab.locator(".token-remove").first.click()
    tab.get_by_label("Models").click()
    page.get_by_role("option", name=model, exact=True).click()
    page.keyboard.press("Escape")
    tab.get_by_label("Samples per model").click()
    page.get_by_role("option", name="512", exact=True).click()
    page.get_by_role("button", name="Diagnose", exact=True).click()
    page.wait_for_function(
        """() => document.querySelector(".lx-diagnosis .lx-status")?.textContent.startsWith("Done")
          && [...document.querySelectorAll(".lx-pair img")].every((image) => image.naturalWidth)""",
        timeout=600_000,
    )


def show_map(page: Page) -> None:
    """Show where a model's samples lie among real images, as pictures."""
    show_diagnosis(page, MAPPED)
    page.get_by_role("button", name="Show as pictures").click()
    page.locator("[data-part=map]").evaluate("(part) => part.scrollIntoView()")
    page.wait_for_function("document.querySelector('.lx-map').dataset.pictures === '1024'")


def show_models(page: Page) -> None:
    """Show the first readable card with its layers and its training curve."""
    page.get_by_role("tab", name="Models").click()
    card = page.locator(".lx-card:not(.is-damaged)").first
    card.locator(".lx-preview img").last.wait_for()
    card.get_by_text("Training curve").click()


def show_watch(page: Page) -> None:
    """Show the first training run, which is one that goes on if there is any."""
    page.get_by_role("tab", name="Models").click()
    run = page.locator(".lx-training").first
    run.wait_for()
    page.wait_for_timeout(1000)  # one that goes on opens by itself
    if run.get_attribute("aria-expanded") == "false":
        run.click()
    page.wait_for_selector(".lx-run-grid[data-step]")


@dataclass(frozen=True)
class Shot:
    """Describe a picture: file name, how to get there, colours, window."""

    name: str
    show: Callable[[Page], None]
    scheme: Literal["dark", "light"] = "dark"
    window: dict[str, Any] = field(default_factory=lambda: DESKTOP)


SHOTS = (
    Shot("sample", show_sample),
    Shot("labels", show_labels),
    Shot("interpolate", show_interpolate),
    Shot("compare", show_compare, "light"),
    Shot("scores", show_scores),
    Shot("diagnose", show_diagnosis),
    Shot("map", show_map, "light"),
    Shot("models", show_models, "light"),
    Shot("watch", show_watch),
    Shot("phone", show_interpolate, window=PHONE),
)


@contextmanager
def start_app(checkpoints: Path, runs: Path) -> Iterator[None]:
    """Run app.py over folders of checkpoints and runs until the block ends."""
    command = [sys.executable, str(ROOT / "app.py"), "--checkpoints", str(checkpoints)]
    command += ["--runs", str(runs)]
    process = subprocess.Popen([*command, "--port", str(PORT)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            try:
                with urllib.request.urlopen(URL, timeout=5):
                    break
            except OSError:
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def take(browser: Browser, shot: Shot, folder: Path) -> Path:
    """Take one picture and write it as a WebP of at most 300 kB."""
    context = browser.new_context(color_scheme=shot.scheme, **shot.window)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(URL)
    page.wait_for_selector(".lx-sample .lx-frame img")
    shot.show(page)
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(800)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    path = folder / f"{shot.name}.webp"
    for quality in (90, 80, 65, 50):
        picture.save(path, quality=quality, method=6)
        if path.stat().st_size <= MAX_BYTES:
            break
    return path


def main() -> None:
    """Take all pictures, or the named ones."""
    parser = argparse.ArgumentParser(description="Take the screenshots in docs/images.")
    parser.add_argument("--checkpoints", type=Path, default=ROOT / "checkpoints")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("names", nargs="*", help=", ".join(shot.name for shot in SHOTS))
    arguments = parser.parse_args()
    executable = find_chromium()
    if executable is None:
        parser.error(f"no Chromium was found. {INSTALL_HINT}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with start_app(arguments.checkpoints, arguments.runs), open_chromium(executable) as browser:
        for shot in SHOTS:
            if not arguments.names or shot.name in arguments.names:
                path = take(browser, shot, arguments.out)
                print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
