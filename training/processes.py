"""One training in several processes: who takes which part of a batch, and how they agree.

`torchrun` starts the processes, Accelerate joins them and wraps networks for distributed data
parallel training. Both are needed only where there is more than one process.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from training.devices import select_device
from training.errors import ConfigError
from training.models.synced_norm import synchronize_batch_norms

if TYPE_CHECKING:
    from training.config import TrainConfig

# For what the main process prepares for all; where it fails, torchrun ends those that wait.
LONGEST_WAIT = timedelta(days=7)

Network = TypeVar("Network", bound=nn.Module)


class Processes:
    """Stand for the one process that trains alone; see `JoinedProcesses` for several.

    What is random is drawn for the whole batch in every process, from the same state, and each
    takes its own rows: the samples do not depend on how many processes there are.
    """

    rank = 0
    num = 1

    @property
    def is_main(self) -> bool:
        """Tell whether this process writes files and prints."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """Return this process's rows of a whole batch (N, ...): (N / num, ...)."""
        size = len(batch) // self.num
        return batch[self.rank * size : (self.rank + 1) * size]

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return a network whose backward pass averages gradients over all processes."""
        return network

    def synchronize_norms(self, network: Network) -> Network:
        """Let batch normalisation see what all processes compute; returns the network."""
        return network

    def pause_averaging(self, network: nn.Module) -> AbstractContextManager[Any]:
        """Return a context in which backward passes of a wrapped network stay local."""
        return nullcontext()

    def average(self, values: Tensor) -> Tensor:
        """Return the mean of a tensor over all processes."""
        return values

    def gather(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the rows (B, d) of all processes, in the order of their ranks: (num B, d)."""
        return rows

    def agree(self, is_true: bool) -> bool:
        """Tell whether it is true in any process; waits for the processes, not for devices."""
        return is_true

    def wait(self) -> None:
        """Wait until every process is here."""

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Run the block in the main process first, then in the others, who find its files."""
        if not self.is_main:
            self.wait()
        try:
            yield
        finally:
            if self.is_main:
                self.wait()


class JoinedProcesses(Processes):
    """Join the processes that torchrun started, by Accelerate."""

    def __init__(self, is_on_cpu: bool) -> None:
        accelerate = _import_accelerate()
        # Averages of batch norms are equal everywhere already: each sees a part of all processes.
        options = [
            accelerate.DistributedDataParallelKwargs(
                broadcast_buffers=False, gradient_as_bucket_view=True
            )
        ]
        if not distributed.is_nccl_available():  # as on Windows; Accelerate would ask for it
            options.append(accelerate.InitProcessGroupKwargs(backend="gloo"))
        self._accelerator = accelerate.Accelerator(cpu=is_on_cpu, kwargs_handlers=options)
        self.rank = int(self._accelerator.process_index)
        self.num = int(self._accelerator.num_processes)
        # Numbers in memory go through a group of their own, so that no device has to be waited for.
        self._hosts: Any = distributed.new_group(backend="gloo", timeout=LONGEST_WAIT)

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return a network whose backward pass averages gradients over all processes."""
        with warnings.catch_warnings():
            # What newer releases of PyTorch have instead, Accelerate does not pass on yet.
            warnings.filterwarnings("ignore", message="`broadcast_buffers`", category=FutureWarning)
            wrapped: nn.Module = self._accelerator.prepare_model(network, device_placement=False)
        return wrapped

    def synchronize_norms(self, network: Network) -> Network:
        """Let batch normalisation see what all processes compute; returns the network."""
        return synchronize_batch_norms(network)

    def pause_averaging(self, network: nn.Module) -> AbstractContextManager[Any]:
        """Return a context in which backward passes of a wrapped network stay local."""
        context: AbstractContextManager[Any] = self._accelerator.no_sync(network)
        return context

    def average(self, values: Tensor) -> Tensor:
        """Return the mean of a tensor over all processes."""
        mean: Tensor = self._accelerator.reduce(values, "mean")
        return mean

    def gather(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the rows (B, d) of all processes, in the order of their ranks: (num B, d)."""
        own = torch.from_numpy(np.ascontiguousarray(rows))
        parts = [torch.empty_like(own) for _ in range(self.num)]
        distributed.all_gather(parts, own, group=self._hosts)
        return torch.cat(parts).numpy()

    def agree(self, is_true: bool) -> bool:
        """Tell whether it is true in any process; waits for the processes, not for devices."""
        votes = torch.tensor(int(is_true))
        distributed.all_reduce(votes, group=self._hosts)
        return bool(votes > 0)

    def wait(self) -> None:
        """Wait until every process is here."""
        distributed.barrier(group=self._hosts)


ALONE = Processes()


@contextmanager
def join_processes(device_name: str) -> Iterator[tuple[Processes, torch.device]]:
    """Give this process's place among those of torchrun and its device, until the block ends.

    Without torchrun (or with one process) that is ALONE and the device of the name. With several,
    each takes the GPU of its number on its machine, or all the CPU. Raises ConfigError if a GPU
    is named by its number, there are fewer GPUs than processes, or Accelerate is missing.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE, select_device(device_name)
        return
    device = _select_local_device(device_name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    yield JoinedProcesses(device.type == "cpu"), device
    # Not after an error: GPUs would wait here for the other processes, which wait for this one. As
    # soon as it has told the error and ended, the launcher ends them.
    distributed.destroy_process_group()


def check_shares(config: "TrainConfig", num_processes: int) -> None:
    """Raise ConfigError unless every process gets as many images of each part of a batch."""
    num_shares = num_processes * config.grad_accum
    if config.batch_size % num_shares:
        raise ConfigError(
            f"--batch-size {config.batch_size} cannot be shared evenly by {num_processes} processes"
            f" in {config.grad_accum} part(s) each: choose a multiple of {num_shares}."
        )


def _select_local_device(name: str) -> torch.device:
    kind = select_device(name).type
    if kind == "mps" and name == "auto":
        kind = "cpu"  # there is one such GPU, and no way for several processes to share it
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    num_local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if kind not in ("cpu", "cuda") or ":" in name:
        raise ConfigError(
            f"device: found {name!r} with {num_local} processes, expected cpu, cuda or auto: each"
            " process takes the GPU of its own number."
        )
    if kind == "cuda" and num_local > torch.cuda.device_count():
        raise ConfigError(
            f"{num_local} processes were started on a machine with {torch.cuda.device_count()} GPU"
            f"(s): start as many with torchrun --nproc-per-node, or use --device cpu."
        )
    return torch.device(kind, local_rank) if kind == "cuda" else torch.device("cpu")


def _import_accelerate() -> Any:
    try:
        import accelerate
    except ImportError as error:
        raise ConfigError(
            "Training in several processes needs the package accelerate: install it with"
            " `python -m pip install accelerate`, or start one process without torchrun."
        ) from error
    return accelerate
