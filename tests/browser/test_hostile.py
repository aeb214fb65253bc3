"""Checkpoints from strangers: their text is shown, never run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import LONG_MS, OpenPage
from tests.explorer.ui.live_app import make_header, save_small_checkpoint, serve
from training.checkpoint import load_generator, save_generator

if TYPE_CHECKING:
    from pathlib import Path

ATTACK = (
    '<img src=x onerror="window.attacked=1"><script>window.attacked=1</script>'
    "${window.attacked=1}{{constructor.constructor('window.attacked=1')()}}"
)
# A file name may not hold a slash.
NAME = "a<img src=x onerror=window.attacked=1>`${window.attacked=1}`"


def poison(value: Any) -> Any:
    """Replace every text in a value by the attack."""
    if isinstance(value, str):
        return ATTACK
    if isinstance(value, list):
        return [poison(item) for item in value]
    return {key: poison(item) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.fixture
def hostile_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in (NAME, f"{NAME}2"):
        path = save_small_checkpoint(folder, name, "dcgan", 16)
        generator, header = load_generator(path)
        clean = make_header(header.model, header.dataset)
        save_generator(path, generator, replace(
            clean, dataset=poison(clean.dataset), training=poison(clean.training),
            history=poison(clean.history)))  # fmt: skip
    (folder / f"{NAME}-damaged.safetensors").write_bytes(b"\x00" * 64)
    return folder


def test_hostile_names_and_metadata_do_not_run(
    hostile_folder: Path, tmp_path: Path, open_page: OpenPage
) -> None:
    with serve(hostile_folder, tmp_path / "exports") as app:
        page = open_page(app.url)
        page.wait_for_selector(".lx-sample .lx-frame img")
        page.get_by_role("tab", name="Interpolate").click()
        page.wait_for_selector(".lx-morph:not(.is-empty)")
        page.get_by_role("tab", name="Compare").click()
        page.wait_for_selector(".lx-column .lx-frame")
        # Fails for want of a reference, with a toast that names the model and its data.
        page.get_by_role("button", name="Score", exact=True).click()
        page.get_by_test_id("toast-body").get_by_text("window.attacked").first.wait_for(
            timeout=LONG_MS
        )
        # So does this, with the sentence on the page.
        page.get_by_role("tab", name="Diagnose").click()
        page.get_by_role("button", name="Diagnose", exact=True).click()
        page.locator(".lx-verdict").get_by_text("window.attacked").first.wait_for(timeout=LONG_MS)
        page.get_by_role("tab", name="Models").click()
        page.locator(".lx-card:not(.is-damaged)").first.wait_for()
        for summary in page.locator(".lx-card summary").all():
            summary.click()
        page.get_by_role("table", name="generator").first.wait_for()
        page.get_by_role("button", name="Rescan").click()
        page.get_by_text("Nothing has changed").wait_for()
        assert ATTACK in page.locator(".lx-card:not(.is-damaged)").first.inner_text()
        assert page.evaluate("window.attacked") is None
        assert page.locator("img[src=x]").count() == 0
        page.close()  # before its server goes


def test_an_empty_folder_says_how_to_begin_and_rescan_fills_the_page(
    tmp_path: Path, open_page: OpenPage
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    with serve(folder, tmp_path / "exports") as app:
        page = open_page(app.url)
        notice = page.get_by_role("region", name="No model yet")
        notice.wait_for()
        assert "python -m training train" in notice.inner_text()
        assert str(folder) in notice.inner_text()
        save_small_checkpoint(folder, "first", "dcgan", 16)
        page.get_by_role("tab", name="Models").click()
        page.get_by_role("button", name="Rescan").click()
        page.locator(".lx-card[data-model=first]").wait_for()
        page.get_by_role("tab", name="Sample").click()
        page.wait_for_selector(".lx-sample .lx-frame img")
        assert notice.count() == 0 or not notice.is_visible()
        assert page.get_by_label("Model", exact=True).input_value() == "first"
        later = open_page(app.url)  # begins with what is there by then
        later.wait_for_selector(".lx-sample .lx-frame img")
        assert later.get_by_label("Model", exact=True).input_value() == "first"
        assert not later.get_by_role("region", name="No model yet").is_visible()
        for opened in (page, later):  # before their server goes
            opened.close()


def test_a_preview_that_failed_can_be_asked_for_again(tmp_path: Path, open_page: OpenPage) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    path = save_small_checkpoint(folder, "first", "dcgan", 16)
    whole = path.read_bytes()
    with serve(folder, tmp_path / "exports") as app:
        page = open_page(app.url)
        page.wait_for_selector(".lx-sample .lx-frame img")
        path.unlink()
        page.get_by_role("tab", name="Models").click()
        strip = page.locator(".lx-card[data-model=first] .lx-preview")
        strip.get_by_text("has gone from").wait_for()
        path.write_bytes(whole)
        strip.get_by_role("button", name="Try again").click()
        page.get_by_alt_text("first, seed 7").wait_for()
        page.close()
