"""What the page says while there is no model to show."""

import gradio as gr

# A first result within minutes, on any machine and without a download.
START_COMMAND = (
    "python -m training train --model wgan_gp --data avatars --preset quick --name my-first"
)
TEMPLATE = f"""
<section class="lx-empty" aria-label="No model yet">
  <h2>No model to look into yet</h2>
  <p class="lx-where"></p>
  <p>Train one (avatars are drawn on the spot, nothing is downloaded):</p>
  <code>{START_COMMAND}</code>
  <p>Or put a checkpoint, a file such as name.safetensors, into that folder.
  Then choose Rescan on the Models tab.</p>
</section>
"""
SCRIPT = """
const show = () => { element.querySelector(".lx-where").textContent = props.value || ""; };
watch("value", show);
show();
"""


def build_empty_notice(message: str | None) -> gr.HTML:
    """Build the notice, shown while ``message`` says why nothing can be shown."""
    return gr.HTML(
        value=message or "",
        html_template=TEMPLATE,
        js_on_load=SCRIPT,
        apply_default_css=False,
        visible=message is not None,
    )
