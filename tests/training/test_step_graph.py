"""Steps that are recorded once and replayed: nothing of the first steps may stay in them."""

import io

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from tests.training.test_step import TECHNIQUES, build_batches, build_step, read_weights, run_steps
from training import step_graph
from training.config import TrainConfig
from training.errors import ConfigError
from training.step_graph import NUM_STEPS_BEFORE, build_updates

# What changes from step to step cannot be recorded.
RECORDABLE = {
    name: case
    for name, case in TECHNIQUES.items()
    if name not in ("skipping", "historical averaging")
}
# Each kind of computation once: a trace takes seconds. On the CPU, PyTorch's RMSprop turns a rate
# in memory back into a number.
TRACED = {
    "weight clip": ("dcgan", {"weight_clip": 0.01, "feature_matching": 0.1}),
    **{
        name: TECHNIQUES[name]
        for name in (
            "linear, spectral",
            "augmentation",
            "attention",
            "labels, projection and an augmented reader",
            "accumulation",
        )
    },
}
NUM_STEPS = NUM_STEPS_BEFORE + 3


class TracingRecorder:
    """Record the very operations on tensors: what Python computes between them is frozen, too.

    It does on the CPU what a CUDA graph does on a GPU: a replay asks for the same operations on the
    same memory, whatever has become of the Python objects.
    """

    def __init__(self, updates, _device):
        self._updates = updates

    def run(self, compute):
        return compute()

    def record(self, compute):
        kept = [(tensor, tensor.detach().clone()) for tensor in self._list_tensors()]
        noise = self._updates.noise_rng.get_state()
        output = torch.zeros(9)
        graph = make_fx(lambda: output.copy_(compute()))()
        # Tracing computes as it goes; a recording must not.
        with torch.no_grad():
            for tensor, value in kept:
                tensor.copy_(value)
        self._updates.noise_rng.set_state(noise)
        return graph, output

    def _list_tensors(self):
        for network in (self._updates.generator, self._updates.discriminator):
            yield from (*network.parameters(), *network.buffers())
        for optimizer in (self._updates.optimizer_g, self._updates.optimizer_d):
            for state in optimizer.optimizer.state.values():
                yield from (value for value in state.values() if torch.is_tensor(value))


@pytest.fixture
def tracing(monkeypatch):
    monkeypatch.setitem(step_graph.RECORDERS, "cpu", TracingRecorder)


def build_pair(name):
    """Build the same step twice: recorded, and computed anew each time."""
    model, options = TRACED[name]
    options = {"lr_decay": 0.5, "steps": NUM_STEPS, **options}
    recorded, plain = (build_step(model, **options, cuda_graph=True) for _ in range(2))
    plain._computed = plain.updates
    return recorded, plain


def is_same(found, expected):
    return torch.equal(found.nan_to_num(), expected.nan_to_num())


@pytest.mark.parametrize("name", TRACED)
def test_replayed_steps_are_the_steps(name, tracing):
    resolution = TRACED[name][1].get("resolution", 32)
    pair = build_pair(name)
    # Rates fall over the last steps: a rate that was recorded would stay.
    found, expected = (
        run_steps(step, build_batches(resolution), 1, NUM_STEPS, NUM_STEPS) for step in pair
    )
    assert pair[0]._computed._replay is not None
    assert is_same(found, expected)
    assert all(map(torch.equal, *map(read_weights, pair)))


def test_a_loaded_state_is_not_trained_by_the_old_recording(tracing):
    recorded, plain = build_pair("weight clip")
    for step in (recorded, plain):
        batches = build_batches()
        run_steps(step, batches, 1, 4, num_steps=9)
        state = io.BytesIO()
        torch.save(step.state_dict(), state)
        run_steps(step, batches, 5, 5, num_steps=9)
        state.seek(0)
        step.load_state_dict(torch.load(state, weights_only=True))
        step.scale_learning_rates(0.5)
        run_steps(step, batches, 5, 9, num_steps=9)
    assert recorded._computed._replay is not None
    assert all(map(torch.equal, *map(read_weights, (recorded, plain))))


def test_a_state_of_recorded_steps_goes_on_without_and_back(tracing):
    """Learning rates are plain numbers in a state, and stay in place in what loads it."""
    recorded, plain = build_step(cuda_graph=True), build_step()
    run_steps(recorded, build_batches(), 1, 5)
    plain.load_state_dict(recorded.state_dict())
    (group,) = plain.optimizer_g.optimizer.param_groups
    assert group["lr"] == pytest.approx(2e-4)
    assert isinstance(group["lr"], float)
    rate = recorded.optimizer_d.optimizer.param_groups[0]["lr"]
    recorded.load_state_dict(plain.state_dict())
    assert recorded.optimizer_d.optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(2e-4)


def test_a_step_that_reads_a_number_back_is_not_recorded(tracing):
    """A trace cannot wait for a value, as a CUDA graph cannot: a step that is traced does not."""
    step = build_step(**TECHNIQUES["skipping"][1])
    batches = [step._draw_batch(build_batches().draw)]
    with pytest.raises(RuntimeError, match="get value out of a tracing tensor"):
        TracingRecorder(step.updates, None).record(lambda: step.updates.run(batches))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"skip_discriminator_above": 0.9}, "--skip-discriminator-above"),
        ({"historical_averaging": 0.1}, "--historical-averaging"),
    ],
)
def test_what_changes_from_step_to_step_is_not_recorded(options, words):
    with pytest.raises(ConfigError, match=words):
        TrainConfig("dcgan", "any", "any", cuda_graph=True, **options).resolve()


def test_other_devices_and_several_processes_are_refused():
    with pytest.raises(ConfigError, match="computes on cpu"):
        build_step(cuda_graph=True)
    with pytest.raises(ConfigError, match="torchrun"):
        build_updates(build_step().updates, True, torch.device("cuda"), num_processes=2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", RECORDABLE)
def test_a_cuda_graph_replays_the_steps(name):
    model, options = RECORDABLE[name]
    device = torch.device("cuda")
    weights = []
    for is_recorded in (True, False):
        step = build_step(model, **options, cuda_graph=True, device=device)
        if not is_recorded:
            step._computed = step.updates
        batches = build_batches(options.get("resolution", 32), device=device)
        run_steps(step, batches, 1, NUM_STEPS)
        weights.append(torch.cat([value.flatten().float() for value in read_weights(step)]))
    # Convolutions of a GPU add in no fixed order, and Adam makes much of small gradients.
    distance = (weights[0] - weights[1]).norm() / weights[1].norm()
    assert distance < 1e-2
