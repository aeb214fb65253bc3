"""The commands that measure: `reference` and `evaluate`."""

from training.metrics.evaluate_cli import add_evaluate_parser
from training.metrics.reference_cli import add_reference_parser
from training.metrics.tables import format_scores

__all__ = ["add_evaluate_parser", "add_reference_parser", "format_scores"]
