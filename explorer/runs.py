"""What is in a folder of training runs, and how each is going, read while they are written."""

import json
import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from explorer.metrics_log import MetricsLog, NumberTable
from explorer.numbers import read_number
from explorer.run_goal import Goal, find_goal
from training.errors import ProjectError
from training.runs import RunFolder

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = "lock"
# A score of many samples on a slow machine writes nothing for as long.
SILENT_SECONDS = 120
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
    """Hold all that a run has written: its tables, and its grids of samples by step.

    ``grids`` maps a step to the time in ms at which its grid was written. ``version`` is another
    text whenever any of it has changed.
    """

    losses: NumberTable
    scores: NumberTable
    score_name: str | None
    num_damaged: int
    grids: dict[int, int]
    version: str


@dataclass
class _Run:
    """Hold what is kept of a run between two looks."""

    log: MetricsLog
    options_stamp: tuple[int, int] | None = (-1, -1)
    options: dict[str, Any] = field(default_factory=dict)
    options_problem: str | None = None
    metrics_problem: str | None = None


class RunLibrary:
    """List and read the runs directly inside a folder, which may appear at any time.

    A run is a folder with options or metrics. Hidden ones are left out, and symbolic links are not
    followed, since they may lead anywhere. Names and steps are only ever looked up in what was
    listed. Safe to use from several threads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}

    def list_runs(self) -> list[RunSummary]:
        """Summarize all runs: those that run first, then the ones that wrote last."""
        with self._lock:
            paths = self._find_paths()
            self._runs = {name: run for name, run in self._runs.items() if name in paths}
            found = [_summarize(path, self._refresh(path)) for path in paths.values()]
        return sorted(found, key=lambda run: (not run.is_running, -run.changed, run.name))

    def read(self, name: str, known_version: str = "") -> RunHistory | None:
        """Read a run as far as it is written, None if that is the version known already.

        Raises ProjectError if there is no such run.
        """
        with self._lock:
            path = self._find(name)
            # Taken first: what comes meanwhile makes another version then.
            stamp = _read_stamp(RunFolder(path).metrics_path)
            log = self._refresh(path).log
            grids = {step: _read_milliseconds(grid) for step, grid in _list_grids(path).items()}
            version = f"{stamp}{hash(tuple(grids.items())):x}"
            if version == known_version:
                return None
            losses, scores = log.losses.copy(), log.scores.copy()
            return RunHistory(losses, scores, log.score_name, log.num_damaged, grids, version)

    def read_grid(self, name: str, step: int) -> bytes:
        """Read the PNG of a run's samples at a step; raises ProjectError if there is none."""
        path = _list_grids(self._find(name)).get(step)
        stamp = _read_stamp(path) if path else None
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

    def _find_paths(self) -> dict[str, Path]:
        """Find the folders of runs by name."""
        try:
            paths = sorted(self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return {path.name: path for path in paths if _is_run(path)}

    def _find(self, name: str) -> Path:
        paths = self._find_paths()
        if name not in paths:
            known = ", ".join(paths) or "none so far"
            raise ProjectError(
                f"There is no run {name!r} in {self.folder}; the runs there are: {known}."
            )
        return paths[name]

    def _refresh(self, path: Path) -> _Run:
        """Take in what is new of a run; what cannot be read becomes its problem."""
        files = RunFolder(path)
        run = self._runs.setdefault(path.name, _Run(MetricsLog(files.metrics_path)))
        run.metrics_problem = _refresh_log(run.log)
        stamp = _read_stamp(files.options_path) if _is_plain(files.options_path) else None
        if stamp != run.options_stamp:
            run.options, run.options_problem = _read_options(files.options_path)
            run.options_stamp = stamp
        return run


def is_running(path: Path, is_at_goal: bool = False) -> bool:
    """Tell whether a process trains the run in a folder.

    A training holds an exclusive lock on the file ``lock``. Where there is no such file, or files
    cannot be locked, it runs if it has written something lately and is not at its goal.
    """
    is_held = _is_lock_held(path / LOCK_NAME)
    if is_held is not None:
        return is_held
    return not is_at_goal and time.time() - _read_last_change(path) < SILENT_SECONDS


def _is_lock_held(path: Path) -> bool | None:
    """Tell whether another process holds the exclusive lock on a file, None if nobody can tell."""
    if fcntl is None or not _is_plain(path):
        return None
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        # Shared, and given back at once: other lookers do not take each other for a training.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return None
    else:
        return False
    finally:
        os.close(file)


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
        changed=_read_last_change(path),
        problem=run.metrics_problem or run.options_problem,
    )


def _is_run(path: Path) -> bool:
    files = RunFolder(path)
    return (
        not path.name.startswith(".")
        and _is_plain(path, stat.S_ISDIR)
        and (_is_plain(files.options_path) or _is_plain(files.metrics_path))
    )


def _is_plain(path: Path, is_kind: Callable[[int], bool] = stat.S_ISREG) -> bool:
    """Tell whether a regular file (or a folder) is there itself, not a link to one."""
    try:
        return is_kind(path.lstat().st_mode)
    except OSError:
        return False


def _list_grids(path: Path) -> dict[int, Path]:
    files = RunFolder(path)
    grids = files.list_grids() if _is_plain(files.samples, stat.S_ISDIR) else {}
    return {step: grid for step, grid in grids.items() if _is_plain(grid)}


def _refresh_log(log: MetricsLog) -> str | None:
    """Read what is new of a run's metrics, or say in a sentence why it cannot be read."""
    if not _is_plain(log.path):
        log.forget()
        return None
    try:
        log.refresh()
    except OSError as error:
        return f"{log.path.name} cannot be read: {error.strerror}."
    return None


def _read_options(path: Path) -> tuple[dict[str, Any], str | None]:
    """Read a run's options, or say in a sentence why they cannot be read."""
    advice = "the curves are shown all the same, the goal is unknown."
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise TypeError("no JSON object")
    except FileNotFoundError:
        return {}, f"{path.name} is missing: {advice}"
    except (OSError, ValueError, TypeError, RecursionError) as error:
        return {}, f"{path.name} cannot be read ({type(error).__name__}: {error}): {advice}"
    return values, None


def _get_mapping(values: dict[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _read_stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _read_milliseconds(path: Path) -> int:
    stamp = _read_stamp(path)
    return stamp[0] // 1_000_000 if stamp else 0


def _read_last_change(path: Path) -> float:
    """Return when a run wrote options or metrics last, in seconds since 1970; 0 if never."""
    files = RunFolder(path)
    return max(_read_milliseconds(file) for file in (files.options_path, files.metrics_path)) / 1000
