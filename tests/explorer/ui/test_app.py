"""The page over an empty folder, its tabs, and what it is launched with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client  # type: ignore[import-untyped]

from explorer.ui.app import MAX_SESSIONS, get_launch_options
from explorer.ui.tabs import TABS
from explorer.ui.theme import ASSETS, build_head
from tests.explorer.ui.live_app import PATIENT, LiveApp, save_small_checkpoint, serve


def test_an_empty_folder_opens_and_learns_of_a_new_checkpoint(tmp_path: Path) -> None:
    with serve(tmp_path / "checkpoints", tmp_path / "exports") as app:
        client = Client(app.url, **PATIENT)
        try:
            assert client.predict(api_name="/list_models") == []
            save_small_checkpoint(tmp_path / "checkpoints", "first", "sgan", 8)
            assert client.predict(api_name="/rescan")["added"] == ["first"]
            assert [card["name"] for card in client.predict(api_name="/list_models")] == ["first"]
        finally:
            client.close()


def run_event(app: LiveApp, session: str, fn_index: int, data: list[Any]) -> dict[str, Any]:
    """Run an event of the page as a browser does, and return what comes back at its end."""
    body = {"data": data, "fn_index": fn_index, "session_hash": session}
    httpx.post(f"{app.url}gradio_api/queue/join", json=body, timeout=300).raise_for_status()
    address = f"{app.url}gradio_api/queue/data"
    with httpx.stream("GET", address, params={"session_hash": session}, timeout=300) as lines:
        for line in lines.iter_lines():
            message = json.loads(line.removeprefix("data:")) if line else {}
            if message.get("msg") == "process_completed":
                return message
    raise AssertionError("the event did not end")


def test_a_page_pushed_out_by_others_still_works(tmp_path: Path) -> None:
    """So many sessions are kept; the oldest gets a new one, and may choose a model added since."""
    with serve(tmp_path / "checkpoints", tmp_path / "exports") as app:
        events = app.demo.fns.values()
        (list_models,) = (fn._id for fn in events if fn.name == "list_models")
        draw = next(fn._id for fn in events if fn.name == "draw" and len(fn.inputs) == 7)
        for number in range(MAX_SESSIONS + 1):
            run_event(app, f"page{number}", list_models, [])
        sessions = app.demo.state_holder.session_data
        assert len(sessions) == MAX_SESSIONS
        assert "page0" not in sessions
        save_small_checkpoint(tmp_path / "checkpoints", "first", "sgan", 8)
        app.library.rescan()
        done = run_event(app, "page0", draw, ["first", 0, 4, 1, None, "", False])
        assert done["success"], done
        assert done["output"]["data"][0]["model"] == "first"
        odd = run_event(app, "page0", draw, [{"a": 1}, 0, 4, 1, None, "", False])
        assert odd["output"]["error"] == "The page sent a choice that is not text: reload it."


def test_every_registered_tab_is_on_the_page(live: LiveApp) -> None:
    tabs = [block for block in live.demo.blocks.values() if isinstance(block, gr.Tab)]
    assert [(tab.id, tab.label) for tab in tabs] == [(key, tab.title) for key, tab in TABS.items()]


def test_drawings_of_one_thing_wait_for_each_other(live: LiveApp) -> None:
    """The page that opens draws, too: its drawing must not be done after what is asked for next."""
    drawn = [fn for fn in live.demo.fns.values() if fn.name in ("draw", "draw_direct")]
    lines: dict[int, set[tuple[str, int | None]]] = {}
    for fn in drawn:
        (output,) = fn.outputs
        lines.setdefault(output._id, set()).add((str(fn.concurrency_id), fn.concurrency_limit))
    assert len(lines) == 3  # a sheet, several side by side, a morph
    assert len(drawn) > 2 * len(lines)  # when something is chosen, when the page opens, on Rescan
    assert sorted(map(sorted, lines.values())) == [[("morph", 1)], [("sheet", 1)], [("sheets", 1)]]


def test_nothing_is_kept_shown_or_reported(live: LiveApp) -> None:
    options = get_launch_options()
    assert options["run_history"] is False
    assert options["show_error"] is False
    assert options["enable_monitoring"] is False
    assert live.demo.analytics_enabled is False


@pytest.mark.parametrize("path", sorted(ASSETS.iterdir()), ids=lambda path: path.name)
def test_assets_name_no_address_but_namespaces(path: Path) -> None:
    found = re.findall(r"https?://[^\s\"')]+", path.read_text(encoding="utf-8"))
    assert set(found) <= {"http://www.w3.org/2000/svg"}


def test_scripts_never_write_html(repository: Path) -> None:
    """Text of a checkpoint could become a script through any of these."""
    written = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(")
    assert not written.search(build_head())


def test_templates_hold_no_values(live: LiveApp) -> None:
    for block in live.demo.blocks.values():
        if isinstance(block, gr.HTML):
            is_static = isinstance(block.value, str) and block.html_template == "${value}"
            assert is_static or not re.search(r"\$\{|\{\{", block.html_template)


def test_opening_a_tab_with_scores_prepares_them(live: LiveApp) -> None:
    tabs = {block._id: block.id for block in live.demo.blocks.values() if isinstance(block, gr.Tab)}
    config = live.demo.get_config_file()
    targets = [target for one in config["dependencies"] for target in one["targets"]]
    opened = {tabs[block] for block, event in targets if event == "select" and block in tabs}
    assert opened == {"compare", "diagnose"}
