"""The finished animation: an image or a video that loops, or its first frame until it is played."""

from pathlib import Path
from typing import Any

import gradio as gr

from explorer.formats import get_format
from explorer.ui.downloads import describe_file


def build_made_animation() -> gr.HTML:
    """Build where the animation is shown, empty until there is one."""
    return gr.HTML(
        value={},
        html_template='<div class="lx-made"></div>',
        js_on_load="LX.madeAnimation(element, {props, watch});",
        apply_default_css=False,
    )


def describe_animation(path: Path) -> dict[str, Any]:
    """Describe a file of one of FORMATS; what browsers cannot play shows nothing."""
    made = get_format(path)
    return {"file": describe_file(path), "media": made.media, "name": made.name}
