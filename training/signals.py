"""Stopping politely: the first signal asks, the second insists."""

import signal
import sys
import threading
from types import FrameType, TracebackType


class StopSignal:
    """Note Ctrl-C and SIGTERM while the ``with`` block runs, so that a loop can end its step.

    A second Ctrl-C raises KeyboardInterrupt at once; a second SIGTERM does not, since schedulers
    and launchers of several processes repeat it. Outside the main thread nothing is caught.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():
            for kind in (signal.SIGINT, signal.SIGTERM):
                self._previous[kind] = signal.signal(kind, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @property
    def is_set(self) -> bool:
        """Tell whether a stop was asked for."""
        return self.received is not None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.received = signal.Signals(number)
        print(
            f"\n{self.received.name}: finishing this step or batch of images, then saving. "
            "Ctrl-C now stops at once.",
            file=sys.stderr,
        )
