"""Work at once and beside the training: where it runs, with what, and what it leaves behind."""

import gc
import threading
import weakref

import pytest
import torch
from torch import nn

from training.background import BackgroundRunner, InlineRunner, choose_runner
from training.processes import ALONE, Processes

CPU = torch.device("cpu")


@pytest.fixture
def background():
    runner = BackgroundRunner(CPU)
    yield runner
    runner.close()


def describe_thread():
    """Return what PyTorch keeps for each thread on its own, and its number of threads."""
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_num_threads(),
    )


def test_only_a_gpu_of_one_process_works_beside():
    class Two(Processes):
        num = 2

    def choose(device, processes):
        return type(choose_runner(torch.device(device), processes))

    assert choose("cuda", ALONE) is choose("cuda:0", ALONE) is BackgroundRunner
    assert choose("cuda", Two()) is choose("cpu", ALONE) is choose("mps", ALONE) is InlineRunner


def test_inline_work_is_done_in_the_callers_thread_and_raises_there():
    runner = InlineRunner()
    result = runner.start(threading.current_thread)
    assert result.done()
    assert result.result() is threading.current_thread()
    with pytest.raises(KeyError):
        runner.start(lambda: {}["nothing"])


def test_background_work_has_one_thread_with_the_settings_of_the_caller(background):
    threads = [background.start(threading.current_thread).result() for _ in range(2)]
    assert threads[0] is threads[1] is not threading.current_thread()
    assert background.start(describe_thread).result() == describe_thread()
    background.close()
    assert not threads[0].is_alive()
    assert background.start(lambda: 1).result() == 1  # another training may follow


def test_background_work_raises_where_its_result_is_asked_for(background):
    error = ValueError("as it was")

    def fail():
        raise error

    result = background.start(fail)
    with pytest.raises(ValueError, match="as it was") as found:
        result.result()
    assert found.value is error


def test_a_frozen_network_stays_as_it_was(background):
    network = nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2))
    before = network.weight.detach().clone()
    frozen = background.freeze(network)
    assert InlineRunner().freeze(network) is network
    with torch.no_grad():
        network.parametrizations.weight.original.add_(1.0)
        network.bias.add_(1.0)
    frozen.eval()
    assert torch.allclose(frozen.weight, before, atol=0.1)
    assert not torch.allclose(frozen.bias, network.bias)


@pytest.mark.usefixtures("short_collections")
def test_no_network_outlives_its_work(background):
    network = nn.Linear(2, 2)
    seen = weakref.ref(network)
    weight = background.start(lambda network=network: network.weight.sum().item())
    weight.result()
    del network
    background.start(lambda: None).result()  # the thread has let go of the work before
    gc.collect()
    assert seen() is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_work_on_a_gpu_has_a_stream_of_its_own_and_sees_the_copies_whole():
    device = torch.device("cuda")
    runner = BackgroundRunner(device)
    network = nn.Linear(4096, 4096, device=device)
    with torch.no_grad():
        network.weight.fill_(1.0)
        frozen = runner.freeze(network)
        network.weight.fill_(2.0)

    def work():
        return torch.cuda.current_stream(device).stream_id, frozen.weight.double().sum().item()

    stream_id, total = runner.start(work).result()
    runner.close()
    assert stream_id != torch.cuda.current_stream(device).stream_id
    assert total == 4096**2
