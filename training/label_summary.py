"""What a checkpoint's labels are, and how well they were read when it was scored best."""

from dataclasses import dataclass
from typing import Any

from training.checkpoint import CheckpointHeader
from training.metrics.label_agreement import format_agreement


@dataclass(frozen=True)
class LabelSummary:
    """Hold one label in words: its values, who reads it how well, "" where nobody measured it.

    ``hidden`` is how much better the predictor reads than the independent reader, ``diversity`` how
    far images of one value lie apart, as a share of real ones.
    """

    name: str
    values: str
    reader: str = ""
    reader_on_real: str = ""
    predictor: str = ""
    hidden: str = ""
    diversity: str = ""


def summarize_labels(header: CheckpointHeader) -> list[LabelSummary]:
    """Summarize the labels by the best score's row, leaving out what a damaged file says."""
    rows = (header.best_score or {}).get("labels")
    measured = {
        one.get("label"): one
        for one in (rows if isinstance(rows, list) else [])
        if isinstance(one, dict) and isinstance(one.get("label"), str)
    }
    return [
        LabelSummary(label.name, label.describe(), **_format(measured.get(label.name)))
        for label in header.model.labels
    ]


def _format(found: dict[str, Any] | None) -> dict[str, str]:
    """Write what a score row knows of a label; nothing if it knows nothing or is damaged."""
    if found is None:
        return {}
    try:
        texts = {
            "reader": format_agreement(found["fidelity"]),
            "reader_on_real": format_agreement(found["reader_on_real"]),
        }
        if found["predictor"] is not None:
            texts["predictor"] = format_agreement(found["predictor"])
            gap = float(found["predictor"]["value"]) - float(found["fidelity"]["value"])
            is_number = found["fidelity"].get("error") is not None
            texts["hidden"] = f"{gap:z.2f}" if is_number else f"{100 * gap:z.1f} points"
        if found.get("diversity") is not None:
            texts["diversity"] = f"{float(found['diversity']['mean']):.2f}"
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return {}
    return texts
