"""The wordmark, and the switches for light and for how enlarged pixels look."""

import gradio as gr

# A circle that becomes a square, frame by frame, on a strip of film.
TEMPLATE = """
<header class="lx-header">
  <div class="lx-wordmark">
    <svg viewBox="0 0 112 34" aria-hidden="true">
      <rect width="112" height="34" rx="2" fill="var(--lx-film)"/>
      <g fill="none" stroke="var(--lx-hole)" stroke-width="3" stroke-dasharray="4 5.35"
         opacity=".85"><path d="M2 3.5h108M2 30.5h108"/></g>
      <g fill="#ff7043"><rect x="10" y="9" width="16" height="16" rx="8"/>
        <rect x="35" y="9" width="16" height="16" rx="5.3"/>
        <rect x="61" y="9" width="16" height="16" rx="2.7"/>
        <rect x="86" y="9" width="16" height="16"/></g>
    </svg>
    <h1>Latent Explorer</h1>
  </div>
  <div class="lx-switches">
    <button type="button" class="lx-switch" data-switch="smooth">Smooth</button>
    <button type="button" class="lx-switch" data-switch="dark">Lights off</button>
  </div>
</header>
"""


def build_header() -> gr.HTML:
    """Build the header; its buttons switch light and dark, square and smooth pixels."""
    return gr.HTML(html_template=TEMPLATE, js_on_load="LX.header(element)", apply_default_css=False)
