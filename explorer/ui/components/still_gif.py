"""The first frame of a finished GIF, for whoever asked for less motion."""

import gradio as gr


def build_still_gif() -> gr.HTML:
    """Build what stands in for the GIF beside it until it is played; empty for everybody else."""
    return gr.HTML(
        value="",
        html_template='<div class="lx-still"></div>',
        js_on_load="LX.stillGif(element);",
        apply_default_css=False,
    )
