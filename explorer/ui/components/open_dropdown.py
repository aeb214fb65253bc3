"""A dropdown whose choices change while the page is open."""

from typing import Any

import gradio as gr


class OpenDropdown(gr.Dropdown):
    """Take any text as chosen: whoever is given it says whether there is such a thing.

    Gradio compares what is chosen with the choices that the session was offered last, and forgets
    those of sessions that others have pushed out.
    """

    is_template = True  # in the page it is a plain dropdown

    def preprocess(self, payload: Any) -> Any:
        """Return the chosen text, list of texts or None; raises Error for anything else."""
        values = payload if isinstance(payload, list) else [payload]
        if payload is not None and not all(isinstance(value, str) for value in values):
            raise gr.Error("The page sent a choice that is not text: reload it.")
        return payload
