"""What is in a folder of training runs, and how each is going, read while they are written."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from explorer.metrics_log import MetricsLog, NumberTable, Rewind
from explorer.run_files import (
    FileStamp,
    is_plain,
    is_run,
    is_running,
    list_grids,
    read_last_change,
    read_milliseconds,
    read_options,
    read_stamp,
)
from explorer.run_goal import Goal, find_goal
from training.errors import ProjectError
from training.numbers import read_number
from training.runs import RunFolder

MAX_GRID_BYTES = 64_000_000


@dataclass(frozen=True)
class RunSummary:
    """Describe a run in a few numbers, or say in ``problem`` what of it cannot be read.

    ``share`` of its goal is done, 0 to 1, None if no goal is known; ``seconds_left`` is an estimate
    while it runs; ``changed`` is when it last wrote, in seconds since 1970.
    """

    name: str
    model: str
    data: str
    resolution: int | None
    step: int
    images_seen: int
    seconds: float
    goal: Goal | None
    share: float | None
    seconds_left: float | None
    score: float | None
    score_name: str | None
    is_running: bool
    changed: float
    problem: str | None


@dataclass(frozen=True)
class RunHistory:
    """Hold all that a run has written: its tables, its rewinds, and its grids of samples by step.

    ``takes_scores`` is False if the run's options say that it is never scored. ``grids`` maps a
    step to the time in ms at which its grid was written. ``version`` is another text whenever any
    of it has changed.
    """

    losses: NumberTable
    scores: NumberTable
    score_name: str | None
    takes_scores: bool
    rewinds: tuple[Rewind, ...]
    num_damaged: int
    grids: dict[int, int]
    version: str


@dataclass
class _Run:
    """Hold what is kept of a run between two looks."""

    log: MetricsLog
    metrics_stamp: FileStamp | None = None
    options_stamp: FileStamp | None = (-1, -1)
    options: dict[str, Any] = field(default_factory=dict)
    options_problem: str | None = None
    metrics_problem: str | None = None


class RunLibrary:
    """List and read the runs directly inside a folder, which may appear at any time.

    A run is a folder with options or metrics. Hidden ones are left out, and symbolic links are not
    followed, since they may lead anywhere. Names and steps are only ever looked up in what was
    listed. Safe to use from several threads. Messages call the folder ``shown``, unless given as it
    is.
    """

    def __init__(self, folder: Path, shown: Path | None = None) -> None:
        self.folder = Path(folder)
        self.shown = self.folder if shown is None else shown
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}

    def list_runs(self) -> list[RunSummary]:
        """Summarize all runs: those that run first, then the ones that wrote last."""
        return self.look("")[0]

    def look(
        self, name: str, known_version: str = ""
    ) -> tuple[list[RunSummary], RunHistory | None]:
        """Summarize all runs as `list_runs` does, and read one of them at the same moment.

        There is no history if no run has that name, or if ``known_version`` is still its version.
        Raises ProjectError if the folder is there and cannot be read.
        """
        with self._lock:
            paths = self._find_paths()
            self._runs = {name: run for name, run in self._runs.items() if name in paths}
            found = [_summarize(path, self._refresh(path)) for path in paths.values()]
            history = self._read(paths[name], known_version) if name in paths else None
        found.sort(key=lambda run: (not run.is_running, -run.changed, run.name))
        return found, history

    def read_grid(self, name: str, step: int) -> bytes:
        """Read the PNG of a run's samples at a step; raises ProjectError if there is none."""
        path = list_grids(self._find(name)).get(step)
        stamp = read_stamp(path) if path else None
        if path is None or stamp is None:
            raise ProjectError(
                f"The run {name!r} has no samples of step {step}: choose another step."
            )
        if stamp[1] > MAX_GRID_BYTES:
            raise ProjectError(
                f"{path.name} of the run {name!r} has {stamp[1]:,} bytes, expected at most "
                f"{MAX_GRID_BYTES:,}: it is no grid of samples; remove it."
            )
        return path.read_bytes()

    def _read(self, path: Path, known_version: str) -> RunHistory | None:
        run = self._runs[path.name]
        grids = {step: read_milliseconds(grid) for step, grid in list_grids(path).items()}
        version = f"{run.metrics_stamp}{run.options_stamp}{hash(tuple(grids.items())):x}"
        if version == known_version:
            return None
        log = run.log
        return RunHistory(
            log.losses.copy(),
            log.scores.copy(),
            log.score_name,
            _get_mapping(run.options, "config").get("score_every") != 0,
            log.rewinds,
            log.num_damaged,
            grids,
            version,
        )

    def _find_paths(self) -> dict[str, Path]:
        """Find the folders of runs by name."""
        try:
            paths = sorted(self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise ProjectError(
                f"The folder of runs {self.shown} cannot be read ({error.strerror}): make it "
                "readable, or name another one with --runs."
            ) from error
        return {path.name: path for path in paths if is_run(path)}

    def _find(self, name: str) -> Path:
        paths = self._find_paths()
        if name not in paths:
            known = ", ".join(paths) or "none so far"
            raise ProjectError(
                f"There is no run {name!r} in {self.shown}; the runs there are: {known}."
            )
        return paths[name]

    def _refresh(self, path: Path) -> _Run:
        """Take in what is new of a run; what cannot be read becomes its problem."""
        files = RunFolder(path)
        run = self._runs.setdefault(path.name, _Run(MetricsLog(files.metrics_path)))
        # Taken first: what comes while the file is read makes another version the next time.
        run.metrics_stamp = read_stamp(files.metrics_path)
        run.metrics_problem = _refresh_log(run.log)
        stamp = read_stamp(files.options_path) if is_plain(files.options_path) else None
        if stamp != run.options_stamp:
            run.options, run.options_problem = read_options(files.options_path)
            run.options_stamp = stamp
        return run


def _summarize(path: Path, run: _Run) -> RunSummary:
    losses, scores = run.log.losses, run.log.scores
    config = _get_mapping(run.options, "config")
    goal = find_goal(config)
    share = goal.get_share(losses) if goal else None
    running = is_running(path, is_at_goal=share == 1)
    resolution = read_number(_get_mapping(run.options, "dataset").get("resolution"))
    return RunSummary(
        name=path.name,
        model=str(config.get("model", "")),
        data=str(config.get("data", "")),
        resolution=None if resolution is None else int(resolution),
        step=int(losses.get_last("step") or 0),
        images_seen=int(losses.get_last("images_seen") or 0),
        seconds=losses.get_last("seconds") or 0.0,
        goal=goal,
        share=share,
        seconds_left=goal.estimate_seconds_left(losses) if goal and running else None,
        score=scores.get_last("score"),
        score_name=run.log.score_name,
        is_running=running,
        changed=read_last_change(path),
        problem=run.metrics_problem or run.options_problem,
    )


def _refresh_log(log: MetricsLog) -> str | None:
    """Read what is new of a run's metrics, or say in a sentence why it cannot be read."""
    if not is_plain(log.path):
        log.forget()
        return None
    try:
        log.refresh()
    except OSError as error:
        return f"{log.path.name} cannot be read: {error.strerror}."
    return None


def _get_mapping(values: dict[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}
