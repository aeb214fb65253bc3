"""The train command as a user types it: plans, new runs, signals, resumes, one-sentence errors."""

import itertools
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.conftest import SMALL
from tests.training.waiting import wait_for_metrics
from training import footprint, plan
from training.__main__ import main
from training.checkpoint import load_generator, load_header
from training.history import read_history
from training.runs import RunFolder


def build_command(pictures, *extra, name="my-run", model="dcgan"):
    return [
        "train",
        "--model",
        model,
        "--data",
        f"folder:{pictures}",
        "--name",
        name,
        *SMALL,
        *extra,
    ]


def test_a_new_run_leaves_a_checkpoint_and_a_resume_extends_it(workplace, pictures, capsys):
    command = build_command(pictures, "--steps", "3", "--title", "Noise", "--terms", "CC0")
    assert main(command) == 0
    assert "Done: 3 steps, 12 images" in capsys.readouterr().out
    header = load_header(Path("checkpoints/my-run.safetensors"))
    assert header.dataset["title"] == "Noise"
    assert header.dataset["terms"] == "CC0"
    assert header.training["steps"] == 3
    assert header.model.img_resolution == 32
    assert main(["train", "--resume", "runs/my-run", "--steps", "5"]) == 0
    run = RunFolder(Path("runs/my-run")).load_options()
    assert (run.config.steps, run.config.width, run.dataset.terms) == (5, 4, "CC0")
    assert load_header(Path("checkpoints/my-run.safetensors")).training["steps"] == 5
    assert main(["train", "--resume", "runs/my-run"]) == 2
    assert "has reached its goal at step 5: give a later one" in capsys.readouterr().err


def test_a_checkpoint_names_no_folders(workplace, pictures, monkeypatch):
    """It may be given to anyone: where images and cache lie stays in the run's own options."""
    cache = workplace / "private" / "cache"
    command = build_command(pictures.resolve(), "--steps", "1", "--cache-dir", str(cache))
    monkeypatch.setattr(sys, "argv", ["training", *command])
    assert main(command) == 0
    header = load_header(Path("checkpoints/my-run.safetensors"))
    assert header.training["data"] == header.dataset["name"] == f"folder:{pictures.name}"
    assert header.training["command"] == (
        f"python -m training train --model dcgan --data folder:{pictures.name} --name my-run "
        f"{' '.join(SMALL)} --steps 1 --cache-dir cache"
    )
    assert str(workplace) not in header.to_json()
    assert str(pictures.resolve().parent) not in header.to_json()
    assert RunFolder(Path("runs/my-run")).load_options().dataset.cache_dir == cache
    assert main(["train", "--resume", "runs/my-run", "--steps", "2"]) == 0


def test_dry_run_prints_the_plan_and_writes_nothing(workplace, pictures, capsys):
    assert main(build_command(pictures, "--kimg", "2", "--dry-run", model="wgan_gp")) == 0
    text = " ".join(capsys.readouterr().out.split())
    # 100*16*16 + 16*8*16 + 8*4*16 + 4*3*16 weights and 2 * (16 + 8 + 4) of the norms: 28,408
    assert "generator 28,408" in text
    assert "images per epoch 12 = 1 steps of 4 x 5" in text
    assert "2 kimg = 100 steps" in text
    assert "length 100 steps, 2,000 real images device" in text
    assert not Path("runs").exists()
    assert not Path("checkpoints").exists()


def test_what_does_not_fit_is_said_by_a_dry_run_as_by_a_start(
    workplace, pictures, capsys, monkeypatch
):
    for module in (footprint, plan):
        monkeypatch.setattr(module, "read_free_bytes", lambda _: 3 << 29)  # 1.5 GiB
    options = ["--width", "64", "--batch-size", "12", "--precision", "fp32"]
    command = build_command(pictures, *options, model="wgan_gp")
    assert main([*command, "--dry-run"]) == 0
    assert "layers' outputs (1.50 GiB are free), 0.00 GiB for images" in capsys.readouterr().out
    # 4 * (4 * (1,068,928 + 663,873) + 1,068,928) bytes of weights, and 1.65 million for an image.
    # 4 * (2 * 1,068,928 + 663,873) are taken when networks and average are built, between looks.
    free = itertools.cycle((42_000_000, 42_000_000 - 11_206_916))
    monkeypatch.setattr(footprint, "read_free_bytes", lambda _: next(free))
    assert main([*command, "--dry-run"]) == 2
    captured = capsys.readouterr()
    refusal = captured.err.splitlines()[-1]
    assert refusal.startswith("error: A batch of 12 images needs about 0.0 GiB of memory, and can ")
    assert "GiB: start with --batch-size 6, or keep the batch" in refusal
    assert "GiB for networks" in captured.out
    assert not Path("runs").exists()
    assert main(command) == 2
    assert capsys.readouterr().err.splitlines()[-1] == refusal


def test_a_plan_counts_what_is_left(build_trainer):
    trainer = build_trainer(steps=23, score_every=4, score_samples=100)
    assert read_plan(trainer)["length"] == "23 steps, 184 real images, 6 scores of 100 samples"
    trainer.progress.step, trainer.progress.seconds = 8, 40.0
    left = "15 steps, 120 real images, 4 scores of 100 samples left: about 1.2 minutes at the speed"
    assert read_plan(trainer)["length"] == f"{left} so far"
    trainer.progress.step = 23
    assert read_plan(trainer)["length"].startswith("0 steps, 0 real images left: about 0.0 minutes")
    trainer = build_trainer(minutes=3, steps=None)
    assert read_plan(trainer)["length"] == "3 minutes; how many steps that makes, the run will tell"
    trainer.progress.step, trainer.progress.seconds = 50, 60.0
    left = "100 steps, 800 real images left: about 2.0 minutes at the speed so far"
    assert read_plan(trainer)["length"] == left
    trainer = build_trainer("wgan", "wgan_gp", kimg=0.1, steps=None, critic_steps=3)
    assert read_plan(trainer)["length"] == "5 steps, 120 real images"  # 100 = 4 1/6 of 3 x 8


def read_plan(trainer):
    lines = plan.describe_plan(trainer).splitlines()
    return {line[:18].strip(): line[18:] for line in lines}


def test_help_names_ranges_units_and_defaults(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "stop after so many minutes",
        "2 to 65536 (default 64)",
        "(default 0.999)",
        "0 to 4294967295",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ["--model", "stylegan"],
            "Unknown model 'stylegan': choose one of sgan, dcgan, wgan, wgan_gp",
        ),
        (["--data", "imagenet"], "imagenet"),
        (["--data", "folder:nowhere"], "nowhere is not there"),
        (["--resolution", "48"], "cannot make 48-pixel images"),
        (["--batch-size", "64"], "has 12 images, fewer than one batch of 64"),
        (["--name", "a/b"], "cannot be a file name"),
        (["--extractor", "vgg"], "Extractor: found 'vgg', expected one of"),
        (["--critic-norm", "layer", "--steps", "1", "--kimg", "1"], "More than one goal"),
    ],
)
def test_mistakes_end_with_one_sentence_and_status_2(change, sentence, workplace, pictures, capsys):
    assert main([*build_command(pictures), *change]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert sentence in error


def test_empty_folders_and_missing_flags_are_named(workplace, pictures, capsys):
    Path("empty").mkdir()
    command = ["train", "--model", "dcgan", "--data", "folder:empty", "--name", "x"]
    assert main(command) == 2
    assert "No image was found in empty" in capsys.readouterr().err
    assert main(["train", "--model", "dcgan", "--data", "avatars"]) == 2
    assert "--name is missing" in capsys.readouterr().err
    assert main(["train", "--resume", "runs/nothing"]) == 2
    assert "There is no run in runs/nothing" in capsys.readouterr().err


def test_nothing_of_an_earlier_run_is_overwritten(workplace, pictures, capsys):
    assert main(build_command(pictures, "--steps", "1")) == 0
    before = Path("checkpoints/my-run.safetensors").read_bytes()
    assert main(build_command(pictures, "--steps", "1")) == 2
    assert "runs/my-run exists already" in capsys.readouterr().err
    assert main(build_command(pictures, "--steps", "1", "--runs", "others")) == 2
    assert "my-run.safetensors exists already" in capsys.readouterr().err
    assert Path("checkpoints/my-run.safetensors").read_bytes() == before


def test_a_resumed_run_keeps_its_options(workplace, pictures, capsys):
    assert main(build_command(pictures, "--steps", "1")) == 0
    changes = (
        *(["--batch-size", "8"], ["--mirror"], ["--model", "sgan"], ["--preset", "quick"]),
        *(
            ["--runs", "runs"],
            ["--resolution", "128"],
            ["--crop", "0,0,8,8"],
            ["--max-images", "8"],
        ),
    )
    for change in changes:
        assert main(["train", "--resume", "runs/my-run", "--steps", "2", *change]) == 2
        error = capsys.readouterr().err
        assert f"A resumed run keeps its options, but {change[0]} was given" in error
        assert (
            "only --steps, --kimg, --minutes, --score-every, --save-every, --grid-every, "
            "--histograms-every, --projector, --device, --cuda-graph, --on-nan, --data, "
            "--data-root, --cache-dir and --checkpoints may change"
        ) in error


def read_projector(run):
    """Read the vectors and kinds that TensorBoard's projector shows of a run."""
    folder = Path(run) / "tensorboard"
    config = (folder / "projector_config.pbtxt").read_text()
    (tensors,) = re.findall(r'tensor_path: "(.+)"', config)
    (kinds,) = re.findall(r'metadata_path: "(.+)"', config)
    return (folder / tensors).read_text(), (folder / kinds).read_text().split()


def read_files(*folders):
    """Read all files of some folders but their logs for TensorBoard and the options."""
    paths = [path for folder in folders for path in Path(folder).rglob("*") if path.is_file()]
    kept = [path for path in paths if not {"tensorboard", "options.json"} & set(path.parts)]
    return {path: path.read_bytes() for path in kept}


def test_a_run_that_is_done_gets_its_projector_by_a_resume(
    workplace, pictures, tiny_extractor, capsys
):
    options = ["--steps", "3", "--log-every", "2", "--extractor", "tiny"]
    assert main(build_command(pictures, *options, "--projector", "5", name="at-once")) == 0
    assert main(build_command(pictures, *options)) == 0
    before = read_files("runs/my-run", "checkpoints")
    assert len(before) >= 5
    resume = ["train", "--resume", "runs/my-run", "--projector"]
    capsys.readouterr()
    assert main([*resume, "5"]) == 0
    told = capsys.readouterr().out
    assert "was done at step 3 already. Its embedding of 5 generated and as many real" in told
    assert read_projector("runs/my-run") == read_projector("runs/at-once")
    assert read_projector("runs/my-run")[1] == ["generated"] * 5 + ["real"] * 5
    assert main([*resume, "100"]) == 0  # there are 12 real images
    told = capsys.readouterr().out
    assert "embedding of 12 generated" in told
    assert "warning" not in told
    assert read_projector("runs/my-run")[1] == ["generated"] * 12 + ["real"] * 12
    assert read_files("runs/my-run", "checkpoints") == before
    assert RunFolder(Path("runs/my-run")).load_options().config.projector == 100
    # What is kept of it is no reason to make it again.
    for change in ([], ["--projector", "0"]):
        assert main(["train", "--resume", "runs/my-run", *change]) == 2
        assert "or --projector for an embedding of its images" in capsys.readouterr().err


def test_a_signal_leaves_out_the_embedding_of_a_run_that_is_done(
    workplace, pictures, tiny_extractor, capsys
):
    assert main(build_command(pictures, "--steps", "1", "--extractor", "tiny")) == 0

    def interrupt(*_):
        os.kill(os.getpid(), signal.SIGINT)

    with torch.nn.modules.module.register_module_forward_hook(
        lambda network, *_: interrupt() if type(network).__name__ == "TinyNetwork" else None
    ):
        # Four generated images are one pass, the first; the real ones would be the next.
        assert main(["train", "--resume", "runs/my-run", "--projector", "4"]) == 130
    assert "Stopped before the embedding was there" in capsys.readouterr().out
    assert not Path("runs/my-run/tensorboard/projector_config.pbtxt").exists()


def test_a_resumed_run_finds_its_images_where_they_were_moved(workplace, pictures, capsys):
    first = shutil.copytree(pictures, workplace / "first" / "pictures")
    assert main(build_command(first, "--steps", "1")) == 0
    moved = workplace / "elsewhere" / "pictures"
    moved.parent.mkdir()
    shutil.move(first, moved)
    resume = ["train", "--resume", "runs/my-run", "--steps"]
    assert main([*resume, "2"]) == 2
    assert main([*resume, "2", "--data", f"folder:{moved}"]) == 0
    assert main([*resume, "3"]) == 0  # it is remembered
    (moved / "new.png").write_bytes(next(iter(sorted(moved.glob("*.png")))).read_bytes())
    assert main([*resume, "4", "--data", f"folder:{moved}"]) == 2
    assert "was trained on other images" in capsys.readouterr().err


def test_a_run_that_failed_before_its_first_step_can_be_started_again(workplace, pictures, capsys):
    mistaken = ["--extractor-weights", "nowhere.pth", "--score-every", "1"]
    assert main(build_command(pictures, *mistaken)) == 2
    assert "there is no weights file at nowhere.pth" in capsys.readouterr().err
    assert Path("runs/my-run/options.json").exists()
    assert main(build_command(pictures, "--steps", "1")) == 0
    assert "Done: 1 steps" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_the_state_and_print_the_command_that_resumes(
    number, status, workplace, pictures, repository, capsys
):
    command = build_command(pictures, "--steps", "1000000", "--log-every", "1")
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "training", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        metrics = Path("runs/my-run/metrics.jsonl")
        wait_for_metrics(process, metrics)
        process.send_signal(number)
        output, errors = process.communicate(timeout=300)
    assert process.returncode == status, errors
    step = read_history(metrics)[-1]["step"]
    assert f"Stopped at step {step}" in output
    _, *resume = shlex.split(output.splitlines()[-1])
    assert resume == ["-m", "training", "train", "--resume", "runs/my-run"]
    load_generator(Path("checkpoints/my-run.safetensors"))
    assert main([*resume[2:], "--steps", str(step + 2)]) == 0
    assert f"Done: {step + 2} steps" in capsys.readouterr().out


@pytest.mark.parametrize("is_off", [False, True])
def test_what_a_preset_turns_on_can_be_turned_off(workplace, pictures, capsys, is_off):
    folder = shutil.copytree(pictures, workplace / "labelled")
    names = sorted(path.name for path in folder.iterdir())
    rows = [f"{name},{'left' if index % 2 else 'right'}" for index, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["file,half", *rows]), encoding="utf-8")
    options = ["--preset", "quick", "--dry-run", *(["--no-projection"] if is_off else [])]
    assert main(build_command(folder, *options, model="label_gan")) == 0
    text = capsys.readouterr().out
    assert "predictor's images real" in text
    assert ("projection of the labels" in text) != is_off
