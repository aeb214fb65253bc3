"""A card per checkpoint file: what it is, how good, how it got here, and its layers on demand."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import gradio as gr

from explorer.library import CheckpointEntry
from explorer.numbers import format_count, format_seconds
from training.cards import list_techniques
from training.checkpoint import CheckpointHeader
from training.label_summary import summarize_labels
from training.models import MODELS
from training.numbers import read_number
from training.place_names import shorten_command

CURVE_POINTS = 400


def build_model_cards(
    preview_model: Callable[[str], dict[str, Any]],
    describe_layers: Callable[[str], dict[str, Any]],
) -> gr.HTML:
    """Build the cards; both functions are called by the page when a card is looked at."""
    return gr.HTML(
        value={},
        html_template='<div class="lx-cards"></div>',
        js_on_load="LX.modelCards(element, {props, server, watch});",
        server_functions=[preview_model, describe_layers],
        apply_default_css=False,
    )


def describe_card(entry: CheckpointEntry) -> dict[str, Any]:
    """Describe a checkpoint as plain JSON values: a readable one, or its name and the reason."""
    if entry.header is None:
        return {"name": entry.name, "error": entry.error}
    header = entry.header
    best = header.best_score or {}
    return {
        "name": entry.name,
        "error": None,
        "subtitle": describe_model(header),
        "facts": _list_facts(header),
        "training": _list_training(header),
        "labels": [dataclasses.asdict(label) for label in summarize_labels(header)],
        "score": read_number(best.get("score")),
        "score_name": str(best.get("score_name") or "Score"),
        "score_line": _describe_score(best),
        "noise_floor": read_number(best.get("noise_floor")),
        "curve": {key: _read_curve(header, key) for key in ("score", "loss_d", "loss_g")},
    }


def describe_model(header: CheckpointHeader) -> str:
    """Say in a line what a checkpoint is: model, resolution, data set."""
    config = header.model
    size = f"{config.img_resolution} × {config.img_resolution}"
    data = header.dataset.get("title") or header.dataset.get("name") or "unknown data"
    return f"{MODELS[config.model].title}, {size}, {data}"


def _list_facts(header: CheckpointHeader) -> list[tuple[str, str]]:
    """List what everyone wants to know of a model."""
    data, training = header.dataset, header.training
    return _keep_known(
        ("Data", _join(data.get("title"), format_count(data.get("num_images"), "images"))),
        ("Terms of the data", data.get("terms")),
        ("Images seen", format_count(training.get("images_seen"))),
        ("Training time", format_seconds(training.get("seconds"))),
    )


def _list_training(header: CheckpointHeader) -> list[tuple[str, str]]:
    """List what one needs to train it again."""
    training = header.training
    return _keep_known(
        ("Steps", format_count(training.get("steps"))),
        ("Batch size", format_count(training.get("batch_size"))),
        ("Latent size", header.model.z_dim),
        ("Training seed", training.get("seed")),
        ("Device", training.get("device")),
        ("Techniques", list_techniques(header)),
        # Of checkpoints that earlier versions made, with all their folders.
        ("Command", shorten_command(str(training.get("command") or ""))),
    )


def _keep_known(*facts: tuple[str, Any]) -> list[tuple[str, str]]:
    return [(term, str(value)) for term, value in facts if value not in (None, "")]


def _describe_score(row: dict[str, Any]) -> str:
    """Say what a score is worth: name, samples, reference, noise floor."""
    parts = [str(row.get("score_name") or "Score")]
    if row.get("num_samples"):
        parts.append(f"{format_count(row['num_samples'])} samples")
    floor = read_number(row.get("noise_floor"))
    parts.append("noise floor unknown" if floor is None else f"noise floor {floor:.3g}")
    return ", ".join(parts)


def _read_curve(header: CheckpointHeader, key: str) -> list[tuple[float, float]]:
    points = []
    for row in header.history:
        x, y = read_number(row.get("images_seen")), read_number(row.get(key))
        if x is not None and y is not None:
            points.append((x, y))
    stride = math.ceil(len(points) / CURVE_POINTS) or 1
    return points[::stride] + (points[-1:] if (len(points) - 1) % stride else [])


def _join(*parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part)
