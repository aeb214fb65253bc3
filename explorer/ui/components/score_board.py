"""Scores as samples accumulate: a chart over a table."""

import gradio as gr


def build_score_board() -> gr.HTML:
    """Build the board, empty until a score is asked for."""
    return gr.HTML(
        value={},
        html_template='<div class="lx-board"></div>',
        js_on_load="LX.scoreBoard(element, {props, watch});",
        apply_default_css=False,
    )
