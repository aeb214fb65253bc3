"""The page as a whole: header, notice, one tab per file, public endpoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from explorer.library import CheckpointLibrary
from explorer.runs import RunLibrary
from explorer.sampler import Sampler
from explorer.ui.api import build_endpoints
from explorer.ui.components.empty_notice import build_empty_notice
from explorer.ui.components.header import build_header
from explorer.ui.context import PRIVATE, AppContext, Page
from explorer.ui.tabs import TABS
from explorer.ui.theme import STYLE_SHEETS, build_head, build_theme

TITLE = "Latent Explorer"
QUEUE_SIZE = 64
CACHE_SECONDS = 3600
# Long jobs that wait for their turn hold a thread each: twice 16, at most (`Turns`).
MAX_THREADS = 80
# Gradio keeps a copy of the page's components (1.1 MB) for each page that was ever opened, 10,000
# by default. A page whose copy is gone gets a new one.
MAX_SESSIONS = 100
# Whoever opens one of these is likely to need the feature extractor soon.
SCORING_TABS = ("compare", "diagnose")


def build_app(
    library: CheckpointLibrary,
    sampler: Sampler,
    exports: Path,
    runs: RunLibrary,
    sends_real_images: bool,
) -> gr.Blocks:
    """Build the page over what it shows; files to download are left in ``exports``.

    Diagnoses show real images beside samples if ``sends_real_images``.
    """
    context = AppContext(library, sampler, exports, runs, sends_real_images=sends_real_images)
    return build_page(context)


def build_page(context: AppContext) -> gr.Blocks:
    """Build the page over everything it computes with."""
    library = context.library
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(CACHE_SECONDS, CACHE_SECONDS)
    ) as demo:
        # First, so that no event of the page takes one of their names.
        build_endpoints(context)
        build_header()
        notice = build_empty_notice(library.message)
        with gr.Tabs() as tabs:
            page = Page(library, tabs, notice)
            for key, tab in TABS.items():
                with gr.Tab(tab.title, id=key, elem_id=f"tab-{key}") as opened:
                    tab.build(context, page)
                if key in SCORING_TABS:  # not at the start: it takes memory and seconds
                    opened.select(context.prepare_scoring, None, None, queue=False, **PRIVATE)
        connect_load(demo, page)
    # Gradio would serve copies, and remove them after an hour while a page still offers them.
    gr.set_static_paths([context.exports])
    # Closed to requests past the queue: of a generator they get the first value only.
    demo.queue(max_size=QUEUE_SIZE, default_concurrency_limit=1, api_open=False)
    return demo


def connect_load(demo: gr.Blocks, page: Page) -> None:
    """When the page opens, offer the models that are in the folder by then, and fill every tab."""
    opened = demo.load(
        page.list_library_updates, page.model_dropdowns, page.library_outputs, queue=False,
        **PRIVATE,
    )  # fmt: skip
    for event in (opened, *page.refills):
        page.fill_after(event)


def get_launch_options(trusted_hosts: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what `launch` needs to show this page: looks, limits, nothing sent or kept.

    Requests to a host that is not among ``trusted_hosts`` get status 400; None allows any.
    """
    hosts = ["*"] if trusted_hosts is None else list(trusted_hosts)
    check_host = Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    return {
        "app_kwargs": {"middleware": [check_host]},
        "theme": build_theme(),
        "css_paths": STYLE_SHEETS,
        "head": build_head(),
        "footer_links": ["api"],
        "max_threads": MAX_THREADS,
        "state_session_capacity": MAX_SESSIONS,
        "run_history": False,
        "show_error": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "max_file_size": "1mb",
    }
