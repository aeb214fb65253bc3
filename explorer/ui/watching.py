"""What the page asks while a training is watched: which runs there are, what one has written."""

from collections.abc import Callable
from typing import Any

from explorer.ui.components.run_watch import describe_run, describe_start, describe_summary
from explorer.ui.context import AppContext
from explorer.ui.encoding import pack_image
from explorer.ui.errors import answer_project_errors
from training.errors import ConfigError

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def build_looker(context: AppContext) -> Answer:
    """Build the function that lists the runs and describes the chosen one where it has changed."""

    @answer_project_errors
    def look_at_runs(request: dict[str, Any]) -> dict[str, Any]:
        name, version = str(request.get("name") or ""), str(request.get("version"))
        with context.take_frame_slot():
            runs, history = context.runs.look(name, version)
            return {
                "start": describe_start(context.runs.shown),
                "runs": [describe_summary(run) for run in runs],
                "run": describe_run(name, history) if history else None,
            }

    return look_at_runs


def build_grid_reader(context: AppContext) -> Answer:
    """Build the function that gives the page a run's samples at one of its steps."""

    @answer_project_errors
    def read_grid(request: dict[str, Any]) -> dict[str, Any]:
        step = request.get("step")
        if not isinstance(step, int):
            raise ConfigError(f"The step {step!r} is no whole number: choose one of the slider's.")
        with context.take_frame_slot():
            return {"src": pack_image(context.runs.read_grid(str(request.get("name")), step))}

    return read_grid
