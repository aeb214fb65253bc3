"""The morph: both ends, a stage, a slider that follows the hand, and a film strip."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
import numpy as np

from explorer.ui.encoding import SPRITE_COLUMNS, encode_sprite

# The keyboard's focus goes along to the morph.
FOCUS_MORPH = "() => LX.focusMorph()"

TEMPLATE = """
<div class="lx-morph is-empty">
  <p class="lx-notice" role="status"></p>
  <div class="lx-stage-holder">
    <canvas class="lx-stage" role="img" aria-label="The image at position t"></canvas>
  </div>
  <p class="lx-replaced" role="status"></p>
  <div class="lx-scrub">
    <figure class="lx-end"><canvas aria-hidden="true"></canvas>
      <figcaption>A <b></b></figcaption></figure>
    <div class="lx-hand">
      <input type="range" min="0" max="1" step="0.001" value="0.5"
             aria-label="Position t between A and B">
      <div class="lx-under">
        <button type="button" class="lx-button lx-play" aria-pressed="false">Play</button>
        <span class="lx-t">t = <output aria-live="off">0.500</output></span>
      </div>
    </div>
    <figure class="lx-end"><canvas aria-hidden="true"></canvas>
      <figcaption>B <b></b></figcaption></figure>
  </div>
  <div class="lx-strip lx-film" role="group" aria-label="In-betweens"></div>
</div>
"""


def build_scrubber(render_frame: Callable[[dict[str, Any]], dict[str, Any]]) -> gr.HTML:
    """Build the morph; ``render_frame`` gives the exact frame when the slider rests."""
    return gr.HTML(
        value={},
        html_template=TEMPLATE,
        js_on_load="LX.scrubber(element, {props, server, watch});",
        server_functions=[render_frame],
        apply_default_css=False,
    )


def describe_morph(
    request: dict[str, Any], frames: np.ndarray, stops: Sequence[str], kind: str = ""
) -> dict[str, Any]:
    """Describe a rendered path, uint8 (T, H, W, C), the request that made it, and its stops.

    The stops are named by their seeds, or in a sweep by the values of the label that is swept.
    ``kind`` is that of a `MorphPlan`.
    """
    count, height, width = frames.shape[:3]
    return {
        "request": request,
        "stops": list(stops),
        "kind": kind,
        "size": [width, height],
        "count": count,
        "columns": SPRITE_COLUMNS,
        "sprite": encode_sprite(frames),
    }
