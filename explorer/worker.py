"""A background thread of low priority on which long jobs take turns, so that sliders stay quick."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from explorer.priority import lower_priority

T = TypeVar("T")

# Values a job may be ahead of whoever takes them: one being looked at, one coming.
MAX_AHEAD = 2


@dataclass(frozen=True)
class _Outcome:
    """Hold what a step gave: a value, the end, or an error."""

    value: Any = None
    error: BaseException | None = None
    is_end: bool = False


@dataclass
class _Job(Generic[T]):
    """Hold an iterator that the worker advances, and the outcomes nobody has taken yet."""

    make_iterator: Callable[[], Iterator[T]]
    iterator: Iterator[T] | None = None
    outcomes: deque[_Outcome] = field(default_factory=deque)
    changed: threading.Condition = field(default_factory=threading.Condition)
    is_scheduled: bool = False
    is_stopped: bool = False
    is_over: bool = False

    def step(self) -> _Outcome:
        """Advance the iterator by one value, making it first if need be."""
        try:
            if self.iterator is None:
                self.iterator = self.make_iterator()
            return _Outcome(next(self.iterator))
        except StopIteration:
            return _Outcome(is_end=True)
        except BaseException as error:  # raised again where the values are taken
            return _Outcome(error=error)

    def close(self) -> None:
        """Close the iterator, so that its `finally` runs."""
        self.is_over = True
        close = getattr(self.iterator, "close", None)
        if close is not None:
            close()


class Worker:
    """Run several jobs on one thread, one step of each in turn.

    A job is an iterator; a step is one value of it. The thread starts with the first job. On Linux
    it and the threads it starts (PyTorch's own among them) run at a niceness of at least 10: what a
    person waits for, which runs at normal priority, goes first, and the jobs get what is left.
    Elsewhere they run at normal priority.
    """

    def __init__(self, name: str = "worker") -> None:
        self._thread = ThreadPoolExecutor(1, name, initializer=lower_priority)
        self._lock = threading.Lock()
        self._jobs: set[int] = set()

    @property
    def num_jobs(self) -> int:
        """Return how many jobs are neither finished nor closed."""
        with self._lock:
            return len(self._jobs)

    def run(self, make_iterator: Callable[[], Iterator[T]]) -> Generator[T, None, None]:
        """Yield the values of an iterator that is made and advanced on the worker.

        It starts with the first value asked for, and is at most two values ahead. Errors are raised
        here with their traceback. Closing stops the job between two of its steps and closes its
        iterator there. Raises RuntimeError once the worker is shut down.
        """
        job = _Job(make_iterator)
        with self._lock:
            self._jobs.add(id(job))
        try:
            while True:
                outcome = self._take(job)
                if outcome.error is not None:
                    raise outcome.error
                if outcome.is_end:
                    return
                yield outcome.value
        finally:
            self._stop(job)

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Run a function once, in turn with the jobs."""
        return self._thread.submit(function)

    def shut_down(self) -> None:
        """End after the step under way; whoever waits for a value gets a RuntimeError."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _take(self, job: _Job[Any]) -> _Outcome:
        """Wait for a job's next outcome, and let the job go on."""
        with job.changed:
            self._schedule(job)
            while not job.outcomes:
                job.changed.wait()
            outcome = job.outcomes.popleft()
            self._schedule(job)
        return outcome

    def _stop(self, job: _Job[Any]) -> None:
        """Forget a job; its iterator is closed on the worker, without waiting for it here."""
        with self._lock:
            self._jobs.discard(id(job))
        with job.changed:
            job.is_stopped = True
            self._schedule(job)

    def _schedule(self, job: _Job[Any]) -> None:
        """Queue a job's next turn, behind those of the others; the caller holds its lock."""
        is_full = len(job.outcomes) >= MAX_AHEAD and not job.is_stopped
        if job.is_scheduled or job.is_over or is_full:
            return
        try:
            turn = self._thread.submit(self._take_turn, job)
        except RuntimeError as error:  # the worker was shut down, or the program is ending
            job.is_over = True
            job.outcomes.append(_Outcome(error=error))
            job.changed.notify_all()
            return
        job.is_scheduled = True
        turn.add_done_callback(lambda done: _fail_if_cancelled(done, job))

    def _take_turn(self, job: _Job[Any]) -> None:
        """Run one step of a job, on the worker."""
        if job.is_stopped:
            job.close()
            return
        outcome = job.step()
        with job.changed:
            job.is_over = outcome.is_end or outcome.error is not None
            job.is_scheduled = False
            job.outcomes.append(outcome)
            job.changed.notify_all()
            self._schedule(job)


def _fail_if_cancelled(turn: Future[None], job: _Job[Any]) -> None:
    """Tell a job's consumer that its turn will not come, since the worker is shut down."""
    if not turn.cancelled():
        return
    with job.changed:
        job.is_over = True
        job.outcomes.append(_Outcome(error=RuntimeError("The worker was shut down.")))
        job.changed.notify_all()
