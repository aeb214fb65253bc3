"""A step's computations, recorded once on a GPU and replayed as a whole.

A small network leaves a GPU waiting for Python, which asks for one kernel after the other. A CUDA
graph asks for all of them at once. Everything that changes from step to step has to be in memory
that stays where it is: batches are copied there, learning rates are numbers on the device.
"""

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Protocol

import torch
from torch import Tensor

from training.errors import ConfigError, TrainingError
from training.free_memory import is_out_of_memory
from training.updates import Batch, NetworkUpdates

# Steps before the recording: libraries choose their algorithms, optimisers make their moments.
NUM_STEPS_BEFORE = 3

Compute = Callable[[], Tensor]


class Recorder(Protocol):
    """Run computations so that they can be recorded, and record one."""

    def run(self, compute: Compute) -> Tensor:
        """Run it once, as it will be recorded."""

    def record(self, compute: Compute) -> tuple[Callable[[], None], Tensor]:
        """Record it without running it; returns a replay, and the tensor that it writes to."""


class CudaRecorder:
    """Record CUDA graphs, noise included: each replay goes on with the generator's numbers."""

    def __init__(self, updates: NetworkUpdates, device: torch.device) -> None:
        self._rng, self._device = updates.noise_rng, device
        self._stream = torch.cuda.Stream(device)

    def run(self, compute: Compute) -> Tensor:
        """Run it on the stream of the recording, in turn with everything else."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            stats = compute()
        current.wait_stream(self._stream)
        stats.record_stream(current)
        return stats

    def record(self, compute: Compute) -> tuple[Callable[[], None], Tensor]:
        """Record it without running it; raises TrainingError if it cannot be."""
        graph = torch.cuda.CUDAGraph()
        if torch.__version__ < (2, 14):  # type: ignore[operator]  # later ones find it themselves
            graph.register_generator_state(self._rng)
        try:
            with torch.cuda.graph(
                graph, stream=self._stream, capture_error_mode="thread_local"
            ):  # other threads may go on, a score among them
                stats = compute()
        except RuntimeError as error:
            cause = error.__context__ or error  # the end of a broken recording fails, too
            if is_out_of_memory(cause):  # whoever runs the step knows what to do
                raise cause from None
            raise TrainingError(
                f"The step could not be recorded as a CUDA graph ({cause}): leave --cuda-graph out,"
                " or resume with --no-cuda-graph."
            ) from error
        return graph.replay, stats


RECORDERS: dict[str, Callable[[NetworkUpdates, torch.device], Recorder]] = {"cuda": CudaRecorder}


class RecordedUpdates:
    """Compute steps as `NetworkUpdates.run` does, from the fourth on by replaying a recording."""

    def __init__(self, updates: NetworkUpdates, recorder: Recorder) -> None:
        self._updates, self._recorder = updates, recorder
        self.forget()

    @property
    def is_next_recorded(self) -> bool:
        """Tell whether the next step is the one that is recorded."""
        return self._replay is None and self._num_before == NUM_STEPS_BEFORE

    def forget(self) -> None:
        """Drop the recording: weights or moments may have moved to another place in memory."""
        self._num_before = 0
        self._inputs: list[Batch] = []
        self._replay: Callable[[], None] | None = None

    def run(self, batches: Iterable[Batch]) -> Tensor:
        """Update the discriminator on each batch, then the generator; returns STAT_NAMES (9,)."""
        drawn = list(batches)
        if self._num_before < NUM_STEPS_BEFORE:
            self._num_before += 1
            return self._recorder.run(lambda: self._updates.run(drawn))
        if self._replay is None:
            self._inputs = drawn
            self._replay, self._stats = self._recorder.record(
                lambda: self._updates.run(self._inputs)
            )
        else:
            copy_batches(drawn, self._inputs)
        self._replay()
        return self._stats.clone()


def copy_batches(sources: list[Batch], targets: list[Batch]) -> None:
    """Copy batches into others of the same shapes, which stay where they are."""
    for source, target in zip(sources, targets, strict=True):
        for item in fields(Batch):
            getattr(target, item.name).copy_(getattr(source, item.name))


def build_updates(
    updates: NetworkUpdates, is_recorded: bool, device: torch.device, num_processes: int
) -> NetworkUpdates | RecordedUpdates:
    """Return what computes the steps: the updates themselves, or a recording of them.

    Raises ConfigError where steps cannot be recorded.
    """
    if not is_recorded:
        return updates
    if device.type not in RECORDERS:
        raise ConfigError(
            f"--cuda-graph records steps of a CUDA device, and this training computes on "
            f"{device.type}: leave it out, or resume with --no-cuda-graph."
        )
    if num_processes > 1:
        raise ConfigError(
            "--cuda-graph is for a single process: leave it out under torchrun, or resume with "
            "--no-cuda-graph."
        )
    return RecordedUpdates(updates, RECORDERS[device.type](updates, device))
