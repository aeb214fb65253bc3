"""Memory that a training needs: estimated by hand-counted outputs, and what is said without it."""

import dataclasses

import pytest
import torch

from training import footprint
from training.batches import RealBatch
from training.config import TrainConfig
from training.errors import TrainingError
from training.footprint import (
    check_memory,
    check_networks,
    count_held_bytes,
    estimate_bytes_per_image,
    estimate_footprint,
    explain_out_of_memory,
    measure_need,
)
from training.models import ModelConfig
from training.models.summary import count_parameters
from training.step import AdversarialStep

CPU = torch.device("cpu")


def build_engine(has_autocast=False, norm="none", **options):
    small = {"width": 2, "z_dim": 3, "batch_size": 64, "gp_weight": 0.0}
    config = TrainConfig("sgan", "none", "small", **{**small, **options}).resolve()
    # What a norm keeps is told by its name; these layers have no place for one.
    model = dataclasses.replace(config.build_model_config(1, 32), critic_norm=norm)
    return AdversarialStep(config, model, CPU, has_autocast)


def test_the_estimate_counts_weights_and_outputs():
    engine = build_engine()
    # Generator: linear, norm and ReLU of 2, 4, 8 and 16 outputs, then linear and sigmoid of 1024.
    outputs_g = 3 * (2 + 4 + 8 + 16) + 2 * 1024
    # Discriminator: flatten, then linear and leaky ReLU of 8, 4 and 2, then one logit.
    outputs_d = 1024 + 2 * (8 + 4 + 2) + 1
    weights_g = (3 * 2 + 2) + (2 * 4 + 4) + (4 * 8 + 8) + (8 * 16 + 16) + (16 * 1024 + 1024)
    weights_g += 2 * (2 + 4 + 8 + 16)
    weights_d = (1024 * 8 + 8) + (8 * 4 + 4) + (4 * 2 + 2) + (2 + 1)
    found = estimate_footprint(engine)
    assert found.weights == 4 * (5 * weights_g + 4 * weights_d)
    assert found.per_image == round(4.3 * (outputs_g + 2 * outputs_d))
    assert found.compute_bytes(10) == found.weights + 10 * found.per_image
    narrow = estimate_footprint(build_engine(has_autocast=True)).per_image
    assert narrow == round(2.3 * (outputs_g + 2 * outputs_d))
    for norm, per_output in (("none", 6.0), ("batch", 10.5)):
        penalised = estimate_footprint(build_engine(norm=norm, gp_weight=10.0)).per_image
        assert penalised == round(4.3 * (outputs_g + 2 * outputs_d) + per_output * outputs_d)


def test_attention_maps_count():
    plain = ModelConfig("dcgan", 8, 4, 3, 64)
    attentive = dataclasses.replace(plain, has_self_attention=True)
    config = TrainConfig("dcgan", "none", "small").resolve()
    found = [estimate_bytes_per_image(model, config, False) for model in (plain, attentive)]
    # Each of 32x32 places looks at 16x16 pooled ones, in the generator and twice in its opponent.
    assert found[1] - found[0] >= 4.3 * 3 * 1024 * 256


@pytest.mark.parametrize(
    ("num_images", "advice"),
    [
        (40, r"start with --batch-size 32, or .* --grad-accum 2\.$"),
        (9, r"start with --batch-size 8, or .* --grad-accum 8\.$"),
        (1, r"choose a smaller --width or --resolution; a smaller batch"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_with_one_that_does(num_images, advice, monkeypatch):
    engine = build_engine()
    found = estimate_footprint(engine)
    held = count_held_bytes(engine)
    free = found.compute_bytes(num_images) - held
    monkeypatch.setattr(footprint, "read_free_bytes", lambda _: free)
    with pytest.raises(TrainingError, match=r"batch of 64 images needs about .*" + advice):
        check_memory(engine, CPU)
    with pytest.raises(TrainingError, match="GiB: end other programs, or go on with the run"):
        check_memory(engine, CPU, is_resumed=True)
    monkeypatch.setattr(footprint, "read_free_bytes", lambda _: found.compute_bytes(64) - held)
    check_memory(engine, CPU)
    monkeypatch.setattr(footprint, "read_free_bytes", lambda _: None)
    check_memory(engine, CPU)


def test_a_run_that_could_start_can_be_resumed(monkeypatch):
    """Of what it needs it holds more by then: gradients, and both moments of Adam."""
    engine = build_engine()
    networks = (engine.generator, engine.discriminator)
    num_weights = sum(map(count_parameters, networks))
    fresh = count_held_bytes(engine)
    buffers = [value for one in (*networks, engine.generator_ema) for value in one.buffers()]
    assert fresh == 4 * (num_weights + count_parameters(engine.generator)) + sum(
        value.numel() * value.element_size() for value in buffers
    )
    white = RealBatch(torch.ones(64, 1, 32, 32), torch.zeros(64, 0))
    engine.run(1, lambda: white)
    grown = count_held_bytes(engine) - fresh
    num_counters = sum(len(list(network.parameters())) for network in networks)  # Adam's, of steps
    assert grown == 4 * (3 * num_weights + num_counters)
    free = estimate_footprint(engine).compute_bytes(64) - fresh - grown
    monkeypatch.setattr(footprint, "read_free_bytes", lambda _: free)
    check_memory(engine, CPU, is_resumed=True)


def test_parts_and_processes_need_less_each():
    engine = build_engine(grad_accum=4)
    found = estimate_footprint(engine)
    with pytest.MonkeyPatch.context() as patch:
        free = found.compute_bytes(16) - count_held_bytes(engine)
        patch.setattr(footprint, "read_free_bytes", lambda _: free)
        check_memory(engine, CPU)
        # Two processes on one processor share its memory, and each has weights of its own.
        with pytest.raises(TrainingError, match="batch of 64 images"):
            check_memory(engine, CPU, num_processes=2)


def test_a_failed_allocation_becomes_one_sentence():
    config = TrainConfig("dcgan", "none", "big", batch_size=128)
    advice = "start with --batch-size 64, or keep the batch and compute it in parts with"
    with pytest.raises(TrainingError, match=advice), explain_out_of_memory(config):
        torch.empty(1 << 50)
    with pytest.raises(RuntimeError, match="must match"), explain_out_of_memory(config):
        torch.zeros(2) + torch.zeros(3)


def test_networks_that_do_not_fit_are_refused_before_they_are_built(monkeypatch):
    engine = build_engine()
    weights = estimate_footprint(engine).weights
    monkeypatch.setattr(footprint, "read_free_bytes", lambda _: weights)
    check_networks(engine.model, CPU)
    refusal = r"^Networks of width 2 need about .* are free: choose a smaller --width or --resol"
    with pytest.raises(TrainingError, match=refusal):
        check_networks(engine.model, CPU, num_processes=2)
    monkeypatch.setattr(footprint, "read_free_bytes", lambda _: weights - 1)
    with pytest.raises(TrainingError, match=refusal):
        check_networks(engine.model, CPU)
    monkeypatch.setattr(footprint, "read_free_bytes", lambda _: None)
    check_networks(dataclasses.replace(engine.model, width=512, img_resolution=256), CPU)


def test_processes_share_a_processor_and_have_a_gpu_each():
    engine = build_engine()
    found = estimate_footprint(engine)
    assert measure_need(engine, CPU) == found.weights + 64 * found.per_image
    assert measure_need(engine, CPU, 4) == 4 * (found.weights + 16 * found.per_image)
    assert measure_need(engine, torch.device("cuda"), 4) == found.weights + 16 * found.per_image
