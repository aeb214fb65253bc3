"""Two processes train as one does: weights, scores, files, and what they refuse."""

import os
import subprocess
import sys

import pytest
import torch

from tests.training.shared_runs import CASES, SMALL, run_case
from training.config import TrainConfig
from training.errors import ConfigError
from training.processes import ALONE, Processes, check_shares, join_processes

# In front of a batch norm a bias has no gradient, since the norm takes it out again; Adam makes
# steps of full length out of rounding errors. The norm's running mean is the bias's too.
IDLE_WEIGHTS = tuple(
    f"discriminator.layers.{name}"
    for index in (0, 3, 6)
    for name in (f"{index}.bias", f"{index + 1}.running_mean")
)
LOSSES = ("loss_d", "loss_g", "penalty", "d_real", "d_fake", "loss_predictor", "loss_labels")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, repository):
    """Run all cases in two processes once; returns the folder with what each found."""
    folder = tmp_path_factory.mktemp("two")
    script = repository / "tests" / "training" / "shared_runs.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*command, "--standalone", str(script), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return folder


def load(folder, name):
    return [torch.load(folder / f"{name}-{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("name", CASES)
def test_both_processes_end_with_the_same_weights(folder, name):
    first, second = (found["weights"] for found in load(folder, name))
    assert first.keys() == second.keys()
    for key, tensor in first.items():
        assert torch.equal(tensor, second[key]), key


@pytest.mark.parametrize("name", [name for name in CASES if name != "noise, parts, skips"])
def test_two_processes_train_as_one_with_the_same_batch(folder, name, tmp_path):
    alone = run_case(name, tmp_path, ALONE)
    first, second = load(folder, name)
    has_idle_weights = "batch norms" in name
    for key, tensor in alone["weights"].items():
        if not (has_idle_weights and key in IDLE_WEIGHTS):
            torch.testing.assert_close(
                first["weights"][key],
                tensor,
                rtol=0,
                atol=1e-5,
                msg=lambda text, key=key: key + text,
            )
    # The same generator, scored before any step: the same samples in the same order.
    assert first["score"] == pytest.approx(alone["score"], rel=1e-6)
    assert second["score"] is None
    rows = [row for row in first["rows"] if "loss_d" in row and "score" not in row]
    expected = [row for row in alone["rows"] if "loss_d" in row and "score" not in row]
    assert [row["step"] for row in rows] == [row["step"] for row in expected]
    for found, row in zip(rows, expected, strict=True):
        assert found["images_seen"] == row["images_seen"]
        for field in LOSSES:
            wanted = row[field]  # None of models without a predictor
            close = wanted and pytest.approx(wanted, abs=1e-4, rel=1e-5)
            assert found[field] == close, field
    (score,), (wanted,) = (
        [row["score"] for row in found["rows"] if row.get("score") is not None]
        for found in (first, alone)
    )
    assert score == pytest.approx(wanted, rel=1e-3)


def test_labels_are_read_off_all_samples_of_both_processes(folder, tmp_path):
    alone = run_case("labels", tmp_path, ALONE)
    first, _ = load(folder, "labels")
    (found,), (wanted,) = (
        [row["labels"] for row in case["rows"] if row.get("labels")] for case in (first, alone)
    )
    assert found[0]["fidelity"]["num_images"] == SMALL["score_samples"]
    assert found[0]["reader_on_real"] == wanted[0]["reader_on_real"]
    for reader in ("fidelity", "predictor"):  # weights differ by rounding: so may single images
        assert found[0][reader]["value"] == pytest.approx(wanted[0][reader]["value"], abs=0.03)


def test_one_process_writes(folder):
    run = folder / "batch norms" / "runs"
    assert (folder / "batch norms" / "checkpoints" / "shared.safetensors").is_file()
    assert len(list(run.glob("state-*.pt"))) == 2
    assert sorted(path.name for path in (run / "samples").iterdir()) == [
        f"step-{step:07d}.png" for step in (0, 2, 4)
    ]
    assert len(list((run / "tensorboard").iterdir())) == 1


def test_batches_that_cannot_be_shared_are_refused():
    config = TrainConfig("dcgan", "avatars", "shared", batch_size=12, grad_accum=2)
    check_shares(config, 3)
    sentence = r"--batch-size 12 cannot be shared evenly by 4 processes in 2 part\(s\).* 8"
    with pytest.raises(ConfigError, match=sentence):
        check_shares(config, 4)


@pytest.mark.parametrize("name", ["cuda:0", "mps"])
def test_a_single_gpu_for_several_processes_is_refused(name, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="device"), join_processes(name):
        pass


def test_alone_nothing_is_shared():
    batch = torch.arange(6)
    assert torch.equal(ALONE.share(batch), batch)
    assert ALONE.is_main
    assert [ALONE.agree(True), ALONE.agree(False)] == [True, False]
    assert isinstance(ALONE, Processes)
