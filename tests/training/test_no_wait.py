"""No step reads a value back: Python asks for the next step while a GPU computes this one."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.training.test_step import TECHNIQUES, build_batches, build_step

aten = torch.ops.aten
# What Python cannot go on without the numbers of.
READS = {
    *(aten._local_scalar_dense, aten.equal, aten.is_nonzero),
    *(aten.nonzero, aten.masked_select, aten._unique2, aten.repeat_interleave),
}
READING = {"skipping": "asks in every step whether the discriminator is too far ahead"}


class ReadCounter(TorchDispatchMode):
    """Collect the operations that read values back."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        is_masked = operation is aten.index.Tensor and any(
            mask is not None and mask.dtype in (torch.bool, torch.uint8) for mask in args[1]
        )
        # A tensor made of a list: on a GPU a copy from memory that is not pinned, which is waited
        # for. Single numbers are PyTorch's own, in its optimisers, and stay on the CPU.
        is_list = operation is aten.lift_fresh.default and args[0].dim() > 0
        if operation.overloadpacket in READS or is_masked or is_list:
            self.found.append(str(operation))
        return operation(*args, **(kwargs or {}))


def build_case(name, device):
    """Build a step that has run once, and the real batches of two more."""
    model, options = TECHNIQUES[name]
    step = build_step(model, device=device, **options)
    batches = build_batches(options.get("resolution", 32), device=device)
    step.run(1, batches.draw)
    real = [batches.draw() for _ in range(2 * int(step.config.critic_steps or 1))]
    return step, iter(real).__next__


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_step_reads_nothing_back(name):
    step, draw_real = build_case(name, torch.device("cpu"))
    with ReadCounter() as reads:
        for number in (2, 3):
            step.set_progress(number / 4)
            step.run(number, draw_real)
    assert reads.found == (2 * ["aten._local_scalar_dense.default"] if name in READING else [])


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x[0] > 0),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.tensor([1.0, 2.0]),
        lambda x: torch.equal(x, x),
    ],
)
def test_reads_are_seen(read):
    with ReadCounter() as reads:
        read(torch.arange(3.0))
    assert reads.found


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("name", sorted(TECHNIQUES.keys() - READING.keys()))
def test_no_step_of_a_gpu_is_waited_for(name):
    step, _ = build_case(name, torch.device("cuda"))
    batches = build_batches(TECHNIQUES[name][1].get("resolution", 32), device=step.device)
    batches.draw()
    try:
        torch.cuda.set_sync_debug_mode("error")
        for number in (2, 3):
            step.set_progress(number / 4)
            step.run(number, batches.draw)
    finally:
        torch.cuda.set_sync_debug_mode("default")
