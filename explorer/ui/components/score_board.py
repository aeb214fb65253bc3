"""Scores as samples accumulate: a chart over a table."""

from collections.abc import Callable
from typing import Any

import gradio as gr


def build_score_board(find_replaced: Callable[[dict[str, Any]], dict[str, Any]]) -> gr.HTML:
    """Build the board, empty until a score is asked for.

    The page asks ``find_replaced`` for the models that have other weights than those scored.
    """
    return gr.HTML(
        value={},
        html_template='<div class="lx-board"></div>',
        js_on_load="LX.scoreBoard(element, {props, server, watch});",
        server_functions=[find_replaced],
        apply_default_css=False,
    )
