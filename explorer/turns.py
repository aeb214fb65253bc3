"""A line in which jobs wait for their turn, visibly and so that each can leave it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from training.errors import ConfigError

MAX_WAITING = 16
WAKE_SECONDS = 0.5  # a job that waits can be cancelled between two of these


class Turns:
    """Let ``num_at_once`` jobs work at a time; the others wait in the order in which they came."""

    def __init__(self, num_at_once: int, max_waiting: int = MAX_WAITING) -> None:
        self.num_at_once = num_at_once
        self.max_waiting = max_waiting
        self._line: list[Place] = []  # those at work, then those that wait
        self._changed = threading.Condition()

    @contextmanager
    def join(self) -> Iterator["Place"]:
        """Stand in line, and from one's turn on work, until the block ends.

        Raises ConfigError if too many wait already.
        """
        place = Place(self)
        with self._changed:
            if len(self._line) >= self.num_at_once + self.max_waiting:
                raise ConfigError(
                    f"The server is busy: {self.max_waiting} others wait for the same already. Try "
                    "again in a few minutes."
                )
            self._line.append(place)
        try:
            yield place
        finally:
            with self._changed:
                self._line.remove(place)
                self._changed.notify_all()

    def _count_ahead(self, place: "Place") -> int:
        """Count the jobs that have to end before a place's turn comes."""
        return max(0, self._line.index(place) - self.num_at_once + 1)

    def _wait(self, place: "Place", known: int | None) -> int:
        """Wait until a place has not ``known`` jobs ahead, half a second at most; count them."""
        with self._changed:
            self._changed.wait_for(lambda: self._count_ahead(place) != known, WAKE_SECONDS)
            return self._count_ahead(place)


class Place:
    """Stand for one job in the line of `Turns`."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def wait(self) -> Iterator[int | None]:
        """Yield how many jobs have to end first, at once and when it changes, until none has.

        In between comes None, twice a second, so that a generator in which this runs can be closed.
        Where it is the job's turn already, nothing is yielded.
        """
        known: int | None = None
        while ahead := self._turns._wait(self, known):
            yield None if ahead == known else ahead
            known = ahead


def describe_wait(num_ahead: int) -> str:
    """Say in a sentence that a job waits for others, or that it starts."""
    if num_ahead == 0:
        return "Starting."
    others = "another one ends" if num_ahead == 1 else f"{num_ahead} others end"
    return f"Waiting until {others}."
