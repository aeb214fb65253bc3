"""Models: trainings as they go, and a card for every checkpoint file, readable or damaged."""

from typing import Any

import gradio as gr

from explorer.ui.components.model_cards import build_model_cards, describe_card
from explorer.ui.components.run_watch import build_run_watch
from explorer.ui.context import PRIVATE, AppContext, Page
from explorer.ui.encoding import encode_png
from explorer.ui.errors import answer_project_errors
from explorer.ui.watching import build_grid_reader, build_looker
from training.checkpoint import CheckpointHeader, load_fitting_header
from training.errors import CheckpointError, ConfigError
from training.models.summary import LayerRow

PREVIEW_SEEDS = range(8)
# Layers are listed by running both networks; these take 400 MB for it.
MAX_PARAMETERS = 100_000_000


def build_tab(context: AppContext, page: Page) -> None:
    """Build the tab: trainings to watch, and a line with the rescan button over the cards."""
    build_run_watch(build_looker(context), build_grid_reader(context))
    with gr.Row(elem_classes="lx-shelf"):
        found = gr.Textbox(
            value=describe_folder(context), show_label=False, container=False, interactive=False,
            elem_classes="lx-line", label="Checkpoint folder", scale=1,
        )  # fmt: skip
        rescan = gr.Button("Rescan", elem_classes="lx-dice", min_width=90)
    cards = build_model_cards(build_previewer(context), build_layer_describer(context))

    def look_again() -> list[Any]:
        change = context.library.rescan()
        if change:
            gr.Info(describe_change(change.added, change.removed, change.changed), duration=5)
        else:
            gr.Info("Nothing has changed in the folder.", duration=3)
        return look()

    def look() -> list[Any]:
        return [describe_cards(context), describe_folder(context)]

    # Through the queue: what happens outside of it cannot show a message.
    updated = rescan.click(look_again, None, [cards, found], **PRIVATE).then(
        page.list_library_updates,
        page.model_dropdowns,
        page.library_outputs,
        queue=False,
        **PRIVATE,
    )
    # A file may have changed under its old name: all is drawn anew; what was measured is marked.
    page.refills.append(updated)
    updated.then(None, js="() => LX.lookAgain()", api_visibility="private")
    page.on_load(look, [], [cards, found])


def describe_cards(context: AppContext) -> dict[str, Any]:
    """Describe all cards, or say why there are none."""
    cards = [describe_card(entry) for entry in context.library.entries]
    return {"cards": cards, "message": context.library.message}


def describe_folder(context: AppContext) -> str:
    """Say how many checkpoints are in the folder, and how many of them are damaged."""
    entries = context.library.entries
    damaged = sum(entry.header is None for entry in entries)
    count = f"{len(entries)} checkpoint{'s' if len(entries) != 1 else ''}"
    return f"{count} in {context.library.shown}" + (f", {damaged} damaged" if damaged else "")


def describe_change(
    added: tuple[str, ...], removed: tuple[str, ...], changed: tuple[str, ...]
) -> str:
    """Say what a rescan found, by numbers: a file's name is nobody's HTML."""
    parts = [(len(added), "new"), (len(removed), "removed"), (len(changed), "changed")]
    return "Checkpoints: " + ", ".join(f"{count} {word}" for count, word in parts if count) + "."


def build_previewer(context: AppContext) -> Any:
    """Build the function that gives a card its strip of samples."""

    @answer_project_errors
    def preview_model(name: str) -> dict[str, Any]:
        with context.take_frame_slot():
            images = context.sampler.sample_seeds(str(name), PREVIEW_SEEDS)
            header = context.sampler.get_header(str(name))
        check_card(context, str(name), header)
        return {"frames": [encode_png(image) for image in images]}

    return preview_model


def check_card(context: AppContext, name: str, header: CheckpointHeader) -> None:
    """Raise CheckpointError if a card shows another header than the one its file has now.

    The card's facts are those of the last rescan.
    """
    # As texts: of numbers, NaN differs from itself.
    if repr(header) != repr(context.library.get(name).header):
        raise CheckpointError(f"{name} has been written again since: press Rescan to see it.")


def build_layer_describer(context: AppContext) -> Any:
    """Build the function that gives a card its layer table."""

    @answer_project_errors
    def describe_layers(name: str) -> dict[str, Any]:
        """List the layers of both networks of a model."""
        from training.models.summary import count_model_parameters, summarize_model

        context.library.get_stamp(str(name))  # says so where the file has gone
        header = load_fitting_header(context.library.get(str(name)).path)
        check_card(context, str(name), header)
        count = count_model_parameters(header.model)
        if count > MAX_PARAMETERS:
            raise ConfigError(
                f"{name} has {count:,} parameters in both networks, too many to list its layers "
                f"here: expected {MAX_PARAMETERS:,} at most."
            )
        with context.take_frame_slot():
            networks = summarize_model(header.model)
        return {
            "networks": [describe_network(name, rows) for name, rows in networks.items()],
        }

    return describe_layers


def describe_network(name: str, rows: list[LayerRow]) -> dict[str, Any]:
    """Describe one network's layers as plain JSON values, with the sum of their parameters."""
    return {
        "name": name,
        "total": sum(row.num_parameters for row in rows),
        "rows": [
            {
                "name": row.name,
                "kind": row.kind,
                "shape": " × ".join(map(str, row.output_shape)),
                "parameters": row.num_parameters,
            }
            for row in rows
        ],
    }
