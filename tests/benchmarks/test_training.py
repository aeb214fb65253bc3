"""What the training benchmark works out: ratios, shares of a step, operations of a convolution."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.convolutions import Convolution, build_pass, count_flops, count_step_flops
from benchmarks.loops import FLOAT32, PLAIN, EngineTurns, Setting
from benchmarks.measurement import Context, Measurement
from benchmarks.step_parts import OTHER, PARTS, PartClock, compute_shares, time_labels
from benchmarks.training import compare_rates, format_ratios

CPU = torch.device("cpu")


def make_rates(plain: tuple[float, ...], ours: tuple[float, ...]) -> dict[str, Measurement]:
    return {
        PLAIN: Measurement("plain", "images/s", plain),
        FLOAT32: Measurement("ours", "images/s", ours),
    }


def test_ratios_are_taken_round_by_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.training.list_engines", lambda device: (FLOAT32,))
    # Round by round 3, 1.5 and 2: the median is 2, where that of the rates would be 30 / 20 = 1.5.
    rates = make_rates((10.0, 20.0, 40.0), (30.0, 30.0, 80.0))
    (measurement,) = compare_rates(Context(), "dcgan", rates, CPU)
    assert measurement.values == (3.0, 1.5, 2.0)
    assert measurement.goal is not None
    assert measurement.goal.is_met(1.3)
    assert not measurement.goal.is_met(1.29)
    assert format_ratios([measurement], FLOAT32) == ["dcgan ratio 2.0"]
    assert format_ratios([measurement], "bfloat16") == []


def test_a_quick_run_has_no_goals() -> None:
    rates = make_rates((10.0,), (5.0,)) | {"bfloat16": Measurement("ours", "images/s", (5.0,))}
    measurements = list(compare_rates(Context(is_quick=True), "sgan", rates, CPU))
    assert measurements
    assert all(measurement.goal is None for measurement in measurements)


def test_the_clock_credits_the_innermost_label() -> None:
    ticks = itertools.count()  # every look at the clock is a second later than the one before
    clock = PartClock(lambda: float(next(ticks)))
    with clock.run():  # 0
        with clock.label("data"):  # 1: a second of other
            pass  # 2: a second of data
        # 3: a second of other; 4: one of generator
        with clock.label("generator"), clock.label("optimizer"):
            pass  # 5: a second of optimizer
        # 6: a second of generator; 7: a second of other
    assert clock.seconds == {OTHER: 3.0, "data": 1.0, "generator": 2.0, "optimizer": 1.0}
    shares = compute_shares(clock.seconds)
    assert shares["generator"] == pytest.approx(2 / 7)
    assert shares["ema"] == 0.0
    assert tuple(shares) == PARTS


def test_shares_add_to_one_with_labels_nobody_expected() -> None:
    shares = compute_shares({"data": 1.0, "a new part": 2.0, OTHER: 5.0})
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["a new part"] == 0.25


def test_a_step_of_the_engine_carries_every_label() -> None:
    loop = EngineTurns(Setting("wgan_gp", 2, 32), CPU, has_autocast=False)
    ticks = itertools.count()
    clock = PartClock(lambda: float(next(ticks)))
    with time_labels(clock), clock.run():
        loop.run_step()
    assert set(clock.seconds) == set(PARTS)


def test_operations_of_a_convolution_by_hand() -> None:
    # 16 to 32 maps, 4x4 kernels, 8 px to 4 px, 2 images: every output pixel takes 16 * 4 * 4
    # multiplications and as many additions; the two backward passes take as many each.
    run = build_pass(Convolution(16, 32, 8, 4, 2), 2, CPU, torch.float32)
    assert count_flops(run) == 3 * (2 * 32 * 4 * 4) * (2 * 16 * 4 * 4)


def test_operations_of_a_dcgan_step_by_hand() -> None:
    # At 32 px and 64 maps, multiply-adds of one image. Discriminator: 3 to 64 maps at 16 px, 64 to
    # 128 at 8 px, 128 to 256 at 4 px, 256 to 1 at 1 px, 4x4 kernels. Generator: the same backwards,
    # but from 100 latents.
    first, middle = 16 * 3 * 64 * 256, 16 * (64 * 128 * 64 + 128 * 256 * 16)
    last, latent = 16 * 256, 16 * 100 * 256
    forward_d, forward_g = first + middle + last, first + middle + latent
    # Updates: the discriminator's, of two batches, forward and two ways backward, but none to the
    # images; the generator's, forward and back through the discriminator to the images, and its
    # own, forward and two ways backward, but none to the latents.
    update_d = 2 * (3 * forward_d - first)
    update_g = 2 * forward_d + 3 * forward_g - latent
    assert count_step_flops(Setting("dcgan", 8, 32)) == 2 * (update_d + update_g)


def test_the_script_runs_by_its_path_from_the_root(repository: Path) -> None:
    command = [sys.executable, "benchmarks/training.py", "--help"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--device" in done.stdout
