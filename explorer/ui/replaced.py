"""What the page says where a checkpoint was written again since something of it was shown."""

from collections.abc import Callable
from typing import Any

from explorer.ui.context import AppContext
from explorer.ui.errors import answer_project_errors
from explorer.weights import check_weights
from training.errors import CheckpointError, ConfigError

DRAW_AGAIN = "since this was drawn: press Rescan on the Models tab to draw it anew"
SCORE_AGAIN = "since it was scored: score it again to compare the newer one"


def check_shown(context: AppContext, model: str, shown: Any) -> dict[str, Any] | None:
    """Return what the page shows of a model, None if it has drawn nothing of it yet.

    ``shown`` comes from the page: model, checkpoint and more. Raises CheckpointError if the model
    has other weights by now.
    """
    if not isinstance(shown, dict) or shown.get("model") != model:
        return None
    check_weights(context.library, model, shown.get("checkpoint"), DRAW_AGAIN)
    return shown


def build_replaced_finder(
    context: AppContext, advice: str, max_models: int
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Build find_replaced, which the page asks for the models of a board that are not as shown.

    A board has ``max_models`` at most.
    """

    @answer_project_errors
    def find_replaced(shown: dict[str, Any]) -> dict[str, Any]:
        """Answer {model: checkpoint} with a sentence for each model that has other weights now."""
        if not isinstance(shown, dict) or len(shown) > max_models:
            raise ConfigError("The page asked for the weights of no board of its own: reload it.")
        notes = {}
        for name, checkpoint in shown.items():
            try:
                check_weights(context.library, name, checkpoint, advice)
            except CheckpointError as error:
                notes[name] = str(error)
        return {"notes": notes}

    return find_replaced
