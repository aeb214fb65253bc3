"""Steps that are recorded once and replayed: nothing of the first steps may stay in them."""

import copy
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
    assert group["lr"] == recorded.get_learning_rates()["learning_rate_g"] == 2e-4  # not rounded
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


def test_a_state_says_nothing_of_how_a_device_computes():
    """Saved by a recording training on a GPU, and loaded without one."""
    step = build_step()
    state = step.optimizer_g.state_dict()
    state["param_groups"][0] |= {"capturable": True, "fused": None}
    step.optimizer_g.load_state_dict(state)
    (group,) = step.optimizer_g.optimizer.param_groups
    assert (group["capturable"], group["fused"]) == (False, True)


def read_parameters(step):
    networks = (step.generator, step.discriminator)
    return torch.cat([p.detach().flatten() for n in networks for p in n.parameters()])


def train_on_gpu(name, is_recorded, has_autocast):
    """Return the parameters after the steps before a recording and at the end, and what was told.

    The last steps are taken again from a saved state, so that there are two recordings.
    """
    model, options = RECORDABLE[name]
    options = {"lr_decay": 0.5, "steps": NUM_STEPS, **options, "cuda_graph": True}
    device = torch.device("cuda")
    step = build_step(model, **options, device=device, has_autocast=has_autocast)
    if not is_recorded:
        step._computed = step.updates
    batches = build_batches(options.get("resolution", 32), device=device)
    run_steps(step, batches, 1, NUM_STEPS_BEFORE, NUM_STEPS)
    before, state = read_parameters(step), copy.deepcopy(step.state_dict())
    run_steps(step, batches, NUM_STEPS_BEFORE + 1, NUM_STEPS, NUM_STEPS)
    assert not is_recorded or step._computed._replay is not None
    step.load_state_dict(state)
    stats = run_steps(step, batches, NUM_STEPS_BEFORE + 1, 2 * NUM_STEPS, 2 * NUM_STEPS)
    assert not is_recorded or step._computed._replay is not None
    return before, read_parameters(step), stats


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("has_autocast", [False, True])
@pytest.mark.parametrize("name", RECORDABLE)
def test_a_cuda_graph_replays_the_steps(name, has_autocast, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    _, found, found_stats = train_on_gpu(name, True, has_autocast)
    before, expected, expected_stats = train_on_gpu(name, False, has_autocast)
    # Sums of a GPU may still be taken in another order, and Adam makes much of small gradients.
    assert (found - expected).norm() < 0.1 * (expected - before).norm()
    assert torch.allclose(found_stats, expected_stats, rtol=0.05, atol=0.05, equal_nan=True)
