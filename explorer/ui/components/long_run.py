"""A button that starts long work, one that stops it, and the board that shows its values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from explorer.turns import Place, describe_wait
from explorer.ui.context import LONG, PRIVATE


@dataclass(frozen=True)
class LongRun:
    """Hold the widgets of work that streams values onto a board."""

    start: gr.Button
    stop: gr.Button
    board: gr.HTML

    def connect(self, run: Callable[..., Any], stop: Callable[..., Any], inputs: list[Any]) -> None:
        """Start and stop by the buttons; ``stop`` turns the board's value into the one that stays.

        Both functions return what `set_board` does. The run also ends when the page is closed.
        """
        outputs = [self.start, self.stop, self.board]
        running = self.start.click(run, inputs, outputs, **LONG, **PRIVATE)
        # Stopping makes the running event fail, so that one thing ends both: a second one could
        # come late and end the next run.
        running.failure(stop, self.board, outputs, queue=False, **PRIVATE)
        self.stop.click(None, cancels=[running], api_visibility="private")


def build_long_run(label: str, board: gr.HTML) -> LongRun:
    """Build the two buttons, side by side."""
    with gr.Row():
        start = gr.Button(label, variant="primary", min_width=100)
        stop = gr.Button("Stop", variant="stop", min_width=80, interactive=False)
    return LongRun(start, stop, board)


def set_board(value: dict[str, Any], is_done: bool) -> list[Any]:
    """Return the updates of start, stop and board: a value, and which button can be pressed."""
    return [gr.Button(interactive=is_done), gr.Button(interactive=not is_done), value]


def wait_in_line(place: Place, describe: Callable[[str], dict[str, Any]]) -> Iterator[list[Any]]:
    """Yield the updates of start, stop and board until it is a run's turn, and that it starts.

    ``describe`` makes the board's value of a sentence.
    """
    for num_ahead in place.wait():
        if num_ahead is None:  # drawn again, it would be read out again
            yield [gr.skip()] * 3
        else:
            yield set_board(describe(describe_wait(num_ahead)), is_done=False)
    yield set_board(describe(describe_wait(0)), is_done=False)
