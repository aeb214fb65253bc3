"""The diagnosis of one model, or of two beside each other: verdicts over their evidence."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
import numpy as np

from explorer.ui.diagnosing import Case
from training.subset import choose_subset

# More points hide one another, and every update carries them.
MAX_MAP_POINTS = 512
MAP_DECIMALS = 3


def build_diagnosis_board(functions: Sequence[Callable[..., Any]]) -> gr.HTML:
    """Build the board; the page asks ``functions`` for pictures and for models that were replaced.

    Event morph carries a model, its checkpoint and two seeds.
    """
    return gr.HTML(
        value={},
        html_template='<div class="lx-diagnosis"></div>',
        js_on_load='LX.diagnosis(element, {props, server, watch, trigger, events: ["morph"]});',
        server_functions=list(functions),
        apply_default_css=False,
    )


def describe_cases(
    cases: Sequence[Case], num_samples: int, subtitles: dict[str, str]
) -> dict[str, Any]:
    """Describe the cases for the board, as plain JSON values."""
    return {
        "cases": [describe_case(case, subtitles.get(case.model, "")) for case in cases],
        "num_samples": num_samples,
        "status": describe_status(cases),
        "is_done": all(case.is_done for case in cases),
    }


def describe_case(case: Case, subtitle: str = "") -> dict[str, Any]:
    """Describe one model's case: its newest diagnosis, its error, or neither."""
    values = case.to_dict()
    if values.get("map"):
        values["map"] = orient_map(thin_map(values["map"]))
    return {**values, "subtitle": subtitle}


def list_real_images(values: dict[str, Any]) -> list[int]:
    """List the indices of the real images that a described case names."""
    near = (values.get("copying") or {}).get("closest") or []
    shown = (values.get("map") or {}).get("real_indices") or []
    return [*shown, *(item["image_index"] for item in near)]


def describe_status(cases: Sequence[Case]) -> str:
    """Say in a line how far all models are."""
    running = [case for case in cases if not case.is_done]
    if not running:
        counts = {case.diagnosis.num_samples for case in cases if case.diagnosis is not None}
        return f"Done: {min(counts):,} samples of each model." if counts else "Nothing measured."
    if all(case.diagnosis is None for case in running):
        return "Loading the feature extractor and making the first samples."
    fewest = min((case.diagnosis.num_samples if case.diagnosis else 0) for case in running)
    target = max((case.diagnosis.target if case.diagnosis else 0) for case in running)
    return f"{fewest:,} of {target:,} samples of each model."


def thin_map(values: dict[str, Any]) -> dict[str, Any]:
    """Keep at most 512 samples and 512 real images of a map, with short numbers."""
    return {
        **values,
        **thin_points(values, "sample_seeds", "sample_positions"),
        **thin_points(values, "real_indices", "real_positions"),
    }


def orient_map(values: dict[str, Any]) -> dict[str, Any]:
    """Turn every component so that real images lie to the left of the samples, or below.

    The sign of a component means nothing; without this, two models' maps may mirror each other.
    """
    samples, real = (np.array(values[key]) for key in ("sample_positions", "real_positions"))
    signs = np.where(real.mean(axis=0) > samples.mean(axis=0), -1.0, 1.0)
    return {
        **values,
        "sample_positions": (samples * signs).tolist(),
        "real_positions": (real * signs).tolist(),
    }


def thin_points(values: dict[str, Any], names: str, positions: str) -> dict[str, Any]:
    """Keep some of one kind of a map's points."""
    kept = choose_subset(len(values[names]), MAX_MAP_POINTS).tolist()
    return {
        names: [values[names][row] for row in kept],
        positions: [[round(x, MAP_DECIMALS) for x in values[positions][row]] for row in kept],
    }
