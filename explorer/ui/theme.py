"""The look of the page: a theme of its own, style sheets and scripts, all served from here."""

from pathlib import Path

import gradio as gr

ASSETS = Path(__file__).parent / "assets"
STYLE_SHEETS = sorted(ASSETS.glob("*.css"))

# Names of installed fonts only: the page fetches nothing.
FONT = ("Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "system-ui", "sans-serif")
FONT_MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Menlo", "Consolas", "monospace")

COLOURS = {
    "body_background_fill": "var(--lx-bg)",
    "body_text_color": "var(--lx-text)",
    "body_text_color_subdued": "var(--lx-muted)",
    "background_fill_primary": "var(--lx-surface)",
    "background_fill_secondary": "var(--lx-bg)",
    "border_color_primary": "var(--lx-line)",
    "border_color_accent": "var(--lx-accent)",
    "border_color_accent_subdued": "var(--lx-line)",
    "color_accent_soft": "var(--lx-accent-soft)",
    "link_text_color": "var(--lx-accent)",
    "link_text_color_active": "var(--lx-accent)",
    "link_text_color_hover": "var(--lx-text)",
    "link_text_color_visited": "var(--lx-accent)",
    "block_background_fill": "transparent",
    "block_border_color": "transparent",
    "block_label_background_fill": "transparent",
    "block_label_text_color": "var(--lx-muted)",
    "block_title_text_color": "var(--lx-muted)",
    "block_info_text_color": "var(--lx-muted)",
    "panel_background_fill": "transparent",
    "panel_border_color": "transparent",
    "input_background_fill": "var(--lx-surface)",
    "input_background_fill_focus": "var(--lx-surface)",
    "input_border_color": "var(--lx-line)",
    "input_border_color_focus": "var(--lx-accent)",
    "input_placeholder_color": "var(--lx-muted)",
    "checkbox_background_color": "var(--lx-surface)",
    "checkbox_background_color_selected": "var(--lx-accent)",
    "checkbox_border_color": "var(--lx-muted)",
    "checkbox_border_color_focus": "var(--lx-accent)",
    "checkbox_border_color_hover": "var(--lx-accent)",
    "checkbox_border_color_selected": "var(--lx-accent)",
    "checkbox_label_background_fill": "transparent",
    "checkbox_label_background_fill_hover": "transparent",
    "checkbox_label_background_fill_selected": "transparent",
    "checkbox_label_border_color": "transparent",
    "checkbox_label_text_color": "var(--lx-text)",
    "checkbox_label_text_color_selected": "var(--lx-text)",
    "slider_color": "var(--lx-accent)",
    "loader_color": "var(--lx-accent)",
    "button_primary_background_fill": "var(--lx-accent)",
    "button_primary_background_fill_hover": "var(--lx-text)",
    "button_primary_border_color": "var(--lx-accent)",
    "button_primary_text_color": "var(--lx-on-accent)",
    "button_primary_text_color_hover": "var(--lx-bg)",
    "button_secondary_background_fill": "transparent",
    "button_secondary_background_fill_hover": "transparent",
    "button_secondary_border_color": "var(--lx-line)",
    "button_secondary_border_color_hover": "var(--lx-accent)",
    "button_secondary_text_color": "var(--lx-text)",
    "button_secondary_text_color_hover": "var(--lx-accent)",
    "button_cancel_background_fill": "transparent",
    "button_cancel_background_fill_hover": "transparent",
    "button_cancel_border_color": "var(--lx-line)",
    "button_cancel_border_color_hover": "var(--lx-bad)",
    "button_cancel_text_color": "var(--lx-bad)",
    "button_cancel_text_color_hover": "var(--lx-bad)",
    "stat_background_fill": "var(--lx-accent)",
    "error_background_fill": "var(--lx-surface)",
    "error_border_color": "var(--lx-bad)",
    "error_text_color": "var(--lx-text)",
    "error_icon_color": "var(--lx-bad)",
}
SHAPES = {
    "block_border_width": "0px",
    "block_shadow": "none",
    "block_radius": "2px",
    "container_radius": "2px",
    "input_radius": "2px",
    "input_shadow": "none",
    "input_shadow_focus": "none",
    "button_large_radius": "2px",
    "button_medium_radius": "2px",
    "button_small_radius": "2px",
    "button_border_width": "1px",
    "button_primary_shadow": "none",
    "button_large_text_weight": "500",
    "button_large_text_size": "14px",
    "button_large_padding": "9px 16px",
    "block_title_text_weight": "400",
    "block_title_text_size": "13px",
    "block_label_text_size": "13px",
    "checkbox_label_padding": "4px 12px 4px 0",
    "checkbox_label_shadow": "none",
    "shadow_drop": "none",
    "shadow_drop_lg": "none",
}


def build_theme() -> gr.themes.Base:
    """Build the theme: colours come from variables in base.css, which know dark and light."""
    neutral = gr.themes.colors.stone
    theme = gr.themes.Base(
        primary_hue=gr.themes.colors.orange,
        neutral_hue=neutral,
        radius_size=gr.themes.sizes.radius_none,
        spacing_size=gr.themes.sizes.spacing_md,
        font=FONT,
        font_mono=FONT_MONO,
    )
    values = {**COLOURS, **SHAPES}
    both = {
        f"{name}_dark": value for name, value in COLOURS.items() if hasattr(theme, f"{name}_dark")
    }
    return theme.set(**values, **both)


def build_head() -> str:
    """Build what goes into <head>: the page's scripts, inline, so that nothing waits for them."""
    # core.js first: the others build on it.
    paths = sorted(ASSETS.glob("*.js"), key=lambda path: (path.name != "core.js", path.name))
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return f"<script>\n{scripts}\n</script>"
