"""Labels on the page: what the hand asks for, the pixels that come, and who reads them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from explorer.recipe import Recipe, read_recipe
from tests.browser.conftest import PHONE, OpenPage, open_tab, read_uri
from tests.browser.driving import SETTLED, read_stage
from tests.explorer.labelled import LAYOUT, save_labelled_model, save_untrained_reader
from tests.explorer.ui.live_app import LiveApp, save_small_checkpoint, serve
from training.labels import ClassLabel, LabelLayout

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

FRAMES = ".lx-sample .lx-frame"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[LiveApp]:
    """Serve a model with labels, a reader of them, and a model without."""
    root = tmp_path_factory.mktemp("labels")
    folder = root / "checkpoints"
    folder.mkdir()
    save_labelled_model(folder)
    save_untrained_reader(folder)
    save_small_checkpoint(folder, "plain", "dcgan", 8)
    with serve(folder, root / "exports") as app:
        yield app


@pytest.fixture(scope="module")
def only_labelled(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[LiveApp]:
    """Serve a model with labels alone, which nobody can read."""
    root = tmp_path_factory.mktemp("only")
    folder = root / "checkpoints"
    folder.mkdir()
    save_labelled_model(folder)
    with serve(folder, root / "exports") as app:
        yield app


COLOURS = ("#aa8866", "#ffddbb")


@pytest.fixture(scope="module")
def tinted(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[LiveApp]:
    """Serve a model whose only label is a colour."""
    root = tmp_path_factory.mktemp("tinted")
    folder = root / "checkpoints"
    folder.mkdir()
    layout = LabelLayout((ClassLabel("skin", COLOURS, (0.5, 0.5)),))
    save_labelled_model(folder, "heads", layout=layout)
    with serve(folder, root / "exports") as app:
        yield app


@pytest.fixture
def page(app: LiveApp, open_page: OpenPage) -> Page:
    """Open the app and choose faces."""
    page = open_page(app.url)
    page.wait_for_selector(f"{FRAMES} img")
    choose(page, "sample", "Model", "faces")
    page.wait_for_selector("#tab-sample .lx-label")
    return page


def read_frames(page: Page) -> np.ndarray:
    sources = page.locator(f"{FRAMES} img").evaluate_all("images => images.map((i) => i.src)")
    return np.stack([read_uri(source) for source in sources])


def wait_for_images(page: Page, expected: np.ndarray) -> None:
    """Wait until the sheet shows exactly these images."""
    for _ in range(1200):
        found = read_frames(page)
        if found.shape == expected.shape and np.array_equal(found, expected):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"The sheet shows {found.shape}, and not the images expected.")


def wait_for_stage(page: Page, expected: np.ndarray) -> None:
    """Wait until the stage of Interpolate shows exactly this image."""
    for _ in range(1200):
        page.wait_for_function(SETTLED)
        if np.array_equal(read_stage(page), expected):
            return
        page.wait_for_timeout(100)
    raise AssertionError("The stage does not show the image expected.")


def sample(app: LiveApp, seeds: list[int], **values: float) -> np.ndarray:
    rows = app.sampler.make_labels("faces", seeds, values)
    return app.sampler.sample_seeds("faces", seeds, labels=rows)


def choose(page: Page, tab: str, label: str, option: str) -> None:
    page.locator(f"#tab-{tab}").get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def save_chosen(page: Page, path: Path) -> Recipe:
    """Save the chosen image and return its recipe."""
    page.get_by_label("Chosen image").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save PNG").click()
    download.value.save_as(path)
    return read_recipe(path)


def find_label(page: Page, tab: str, name: str, panel: int = 0) -> Locator:
    return page.locator(f"#tab-{tab} .lx-labels").nth(panel).get_by_role("group", name=name)


def test_labels_are_by_seed_until_the_hand_chooses(page: Page, app: LiveApp) -> None:
    seeds = list(range(16))
    wait_for_images(page, sample(app, seeds))
    find_label(page, "sample", "hair").get_by_label("long").check()
    wait_for_images(page, sample(app, seeds, hair=1))
    find_label(page, "sample", "age").get_by_role("slider").fill("90")
    wait_for_images(page, sample(app, seeds, hair=1, age=90))
    find_label(page, "sample", "age").get_by_role("button", name="by seed").click()
    find_label(page, "sample", "hair").get_by_label("by seed").check()
    wait_for_images(page, sample(app, seeds))


def test_values_go_across_and_are_read_and_saved(page: Page, app: LiveApp, tmp_path: Path) -> None:
    page.get_by_label("number input for How many").fill("2")
    choose(page, "sample", "All values across", "hair")
    rows = torch.tensor([[hair, LAYOUT.draw([seed])[0, 1]] for seed in (0, 1) for hair in (0, 1)])
    expected = app.sampler.sample_seeds("faces", [0, 0, 1, 1], labels=rows)
    wait_for_images(page, expected)
    axis = page.locator(".lx-sample .lx-axis").all_inner_texts()
    assert axis == ["hair", "short", "long", "0", "1"]

    page.get_by_label("Read the labels").check()
    page.wait_for_selector(".lx-verdict-mark")
    found = app.context.readers.read("faces", expected, rows.tolist())
    # The class is right or wrong; the number is for the eye to compare.
    marks = ["✓" if hair.is_right else f"✗ {hair.read}" for hair, _ in found]
    ages = [float(age.read) for _, age in found]
    shown = [
        f"{math.floor(age + 0.5)}" if age >= 10 else f"{float(f'{age:.2g}'):g}" for age in ages
    ]
    wanted = [f"{mark} {age}" for mark, age in zip(marks, shown, strict=True)]
    assert page.locator(".lx-verdict-mark").all_inner_texts() == wanted

    page.locator(FRAMES).nth(3).click()
    cells = page.locator(".lx-loupe .lx-read tbody tr").first.locator("td").all_inner_texts()
    assert cells[0] == "long"
    assert cells[1].split()[0] == found[3][0].read
    recipe = save_chosen(page, tmp_path / "one.png")
    assert recipe.seeds == (1,)
    assert recipe.labels[0] == pytest.approx(rows[3].tolist())


def test_the_chosen_image_is_saved_as_the_sheet_shows_it(
    page: Page, app: LiveApp, tmp_path: Path
) -> None:
    """Labels that are changed after an image was chosen are the image's, and none of a model's."""
    wait_for_images(page, sample(app, list(range(16))))
    page.locator(FRAMES).nth(2).click()
    for hair, name in enumerate(("short", "long")):
        find_label(page, "sample", "hair").get_by_label(name).check()
        wait_for_images(page, sample(app, list(range(16)), hair=hair))
        recipe = save_chosen(page, tmp_path / f"{name}.png")
        assert (recipe.seeds, recipe.labels[0][0]) == ((2,), hair)
    choose(page, "sample", "Model", "plain")
    wait_for_images(page, app.sampler.sample_seeds("plain", range(16)))
    recipe = save_chosen(page, tmp_path / "plain.png")
    assert (recipe.model, recipe.seeds, recipe.labels) == ("plain", (2,), ())


def test_a_frame_takes_its_labels_to_interpolate_and_a_sweep_holds_the_seed(
    page: Page, app: LiveApp
) -> None:
    find_label(page, "sample", "hair").get_by_label("long").check()
    wait_for_images(page, sample(app, list(range(16)), hair=1))
    page.locator(FRAMES).nth(5).click()
    page.get_by_role("button", name="Start a morph here").click()
    page.wait_for_selector("#tab-interpolate .lx-label")
    assert page.get_by_label("Seed A", exact=True).input_value() == "5"
    find_label(page, "interpolate", "hair").get_by_label("long").wait_for()
    assert find_label(page, "interpolate", "hair").get_by_label("long").is_checked()
    assert find_label(page, "interpolate", "hair", 1).get_by_label("as at A").is_checked()

    # By hand, too: the stage at A follows.
    age = float(LAYOUT.draw([5])[0, 1])
    find_label(page, "interpolate", "hair").get_by_label("short").check()
    page.locator(".lx-strip .lx-frame").first.click()
    wait_for_stage(page, sample(app, [5], hair=0, age=age)[0])

    choose(page, "interpolate", "Sweep a label", "hair")
    ends = "[...document.querySelectorAll('.lx-end b')].map((b) => b.textContent).join()"
    page.wait_for_function(f"{ends} === 'short,long'")
    page.locator(".lx-strip .lx-frame").last.click()
    wait_for_stage(page, sample(app, [5], hair=1, age=age)[0])

    # Whatever ends the sweep brings seed B back.
    page.get_by_label("Seed B", exact=True).wait_for(state="hidden")
    choose(page, "interpolate", "Model", "plain")
    page.get_by_label("Seed B", exact=True).wait_for()
    choose(page, "interpolate", "Model", "faces")
    choose(page, "interpolate", "Sweep a label", "hair")
    page.get_by_label("Seed B", exact=True).wait_for(state="hidden")
    open_tab(page, "Sample")
    page.get_by_role("button", name="End a morph here").click()
    page.get_by_label("Seed B", exact=True).wait_for()
    assert page.get_by_label("Seed B", exact=True).input_value() == "5"


def test_a_model_without_labels_has_no_controls(page: Page) -> None:
    choose(page, "sample", "Model", "plain")
    page.wait_for_selector("#tab-sample .lx-label", state="detached")
    assert page.locator("#tab-sample").get_by_label("All values across").count() == 0


def test_labels_fit_on_a_phone(only_labelled: LiveApp, open_page: OpenPage) -> None:
    """Of a folder with one model, the controls are there as soon as the page is."""
    page = open_page(only_labelled.url, PHONE)
    page.wait_for_selector("#tab-sample .lx-label")
    choose(page, "sample", "All values across", "age")
    page.wait_for_selector(".lx-sample .lx-axis")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    # Eight columns are wider than a phone: film lies under all of them, and the seeds stay in view.
    sheet = page.locator(".lx-sheet.has-axes")
    assert sheet.evaluate("(node) => node.scrollWidth <= node.offsetWidth")
    page.locator(FRAMES).nth(7).scroll_into_view_if_needed()
    left = page.locator("#tab-sample .lx-scroll").first.bounding_box()
    axis = page.locator(".lx-axis.is-side").nth(1).bounding_box()
    assert left is not None
    assert axis is not None
    assert axis["x"] == pytest.approx(left["x"], abs=1)
    open_tab(page, "Interpolate")
    page.wait_for_selector("#tab-interpolate .lx-label")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_card_says_what_labels_there_are(page: Page) -> None:
    open_tab(page, "Models")
    table = page.locator(".lx-card[data-model=faces] .lx-card-labels")
    table.locator("tbody tr").nth(1).wait_for()
    # Never scored: nobody knows how well it is read.
    assert table.locator("tbody tr").all_inner_texts() == [
        "hair\tshort, long\t–\t–\t–\t–\t–",
        "age\ta number from 0 to 100\t–\t–\t–\t–\t–",
    ]
    assert page.locator(".lx-card[data-model=plain] .lx-card-labels").count() == 0


def test_a_colour_is_told_by_its_name_too(tinted: LiveApp, open_page: OpenPage) -> None:
    """Beside an image its label is written out; where a swatch stands alone, it has a name."""
    page = open_page(tinted.url)
    page.wait_for_selector(f"{FRAMES} img")
    page.locator(FRAMES).first.click()
    asked = page.locator(".lx-loupe .lx-read td").first.inner_text().strip()
    assert asked == COLOURS[int(tinted.sampler.make_labels("heads", [0])[0, 0])]

    open_tab(page, "Interpolate")
    choose(page, "interpolate", "Sweep a label", "skin")
    for colour in COLOURS:
        page.locator(".lx-morph").get_by_role("img", name=colour).wait_for()

    label = {
        "name": "skin", "values": COLOURS, "num_samples": 3, "value": 1, "real_value": 1,
        "num_real": 3, "error": None, "confusion": [[2, 0], [0, 1]],
    }  # fmt: skip
    headings = page.evaluate(
        """(label) => {
          const cell = document.createElement("div");
          LX.drawFidelity(cell, { labels: [label] });
          return [...cell.querySelectorAll("th [role=img]")].map((item) => item.ariaLabel);
        }""",
        label,
    )
    assert headings == [*COLOURS, *COLOURS]
