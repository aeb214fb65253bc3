"""Work that a training has done at once, or beside itself in a thread."""

import copy
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TypeVar

import torch
from torch import nn

from training.processes import Processes

Network = TypeVar("Network", bound=nn.Module)
Result = TypeVar("Result")


class InlineRunner:
    """Run work at once, in the caller's thread; see `BackgroundRunner` for beside it."""

    def freeze(self, network: Network) -> Network:
        """Return the network as it will be until work that starts now is done."""
        return network

    def start(self, work: Callable[[], Result]) -> Future[Result]:
        """Start work that takes no arguments; returns its result to come.

        What goes wrong in this thread is raised here, in another one where the result is asked for.
        """
        result: Future[Result] = Future()
        result.set_result(work())
        return result

    def close(self) -> None:
        """Wait until nothing runs any more."""


class BackgroundRunner(InlineRunner):
    """Run work in one thread, one piece at a time, on a GPU on a stream of its own.

    The caller goes on meanwhile, so that work needs copies of what the caller changes.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        # The same thread each time: cuDNN searches for its fastest convolutions once per thread.
        self._threads = self._open()

    def freeze(self, network: Network) -> Network:
        """Return a copy of the network as it is now."""
        return copy.deepcopy(network)

    def start(self, work: Callable[[], Result]) -> Future[Result]:
        """Start work that takes no arguments; returns its result to come."""
        if self._device.type != "cuda":
            return self._threads.submit(work)
        # Copies of networks are still being written by the caller's stream.
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        return self._threads.submit(self._run_on_stream, work)

    def close(self) -> None:
        """Wait until nothing runs any more; the thread ends."""
        self._threads.shutdown()
        self._threads = self._open()

    def _run_on_stream(self, work: Callable[[], Result]) -> Result:
        with torch.cuda.device(self._stream.device), torch.cuda.stream(self._stream):
            try:
                return work()
            finally:
                # The caller's stream may have the copies' memory again as soon as they are gone.
                self._stream.synchronize()

    @cached_property
    def _stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self._device)

    @staticmethod
    def _open() -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, "background")


def choose_runner(device: torch.device, processes: Processes) -> InlineRunner:
    """Return what runs beside a training where there is something to win.

    Cores of a CPU are the training's own, and several processes share the work among them.
    """
    is_beside = device.type == "cuda" and processes.num == 1
    return BackgroundRunner(device) if is_beside else InlineRunner()
