"""The training loop: what a step changes, cadence, files, resume, and how it fails."""

import copy
import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from training.checkpoint import load_generator, load_header
from training.datasets import LabelColumn
from training.errors import CheckpointError, TrainingError
from training.history import read_history, select_scores
from training.latents import sample_latents
from training.metrics.sampling import make_seeded_images
from training.models import MODELS
from training.progress import is_snapshot_step
from training.scoring import TrainingScorer

CPU = torch.device("cpu")


def read_weights(trainer):
    engine = trainer.engine
    networks = (engine.generator, engine.discriminator, engine.generator_ema)
    return [weights.clone() for network in networks for weights in network.state_dict().values()]


def as_stored(generator):
    """Return a copy whose weights are rounded as a checkpoint of a training rounds them."""
    return copy.deepcopy(generator).half().float()


def have_equal_weights(first, second):
    first, second = first.state_dict(), second.state_dict()
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def label_images(dataset):
    """Label images by whether they are redder than most."""
    red = dataset.images[:, 0, 0, 0]
    labels = (red > np.median(red)).astype(np.int64)[:, None]
    columns = (LabelColumn("red", ("no", "yes")),)
    return dataclasses.replace(dataset, labels=labels, label_columns=columns)


@pytest.mark.parametrize("model", MODELS)
def test_training_moves_every_weight_and_leaves_a_checkpoint(model, build_trainer, dataset):
    trainer = build_trainer(model=model, steps=2, data=label_images(dataset))
    before = [weights.clone() for weights in trainer.engine.generator.parameters()]
    before += [weights.clone() for weights in trainer.engine.discriminator.parameters()]
    trainer.train()
    after = [*trainer.engine.generator.parameters(), *trainer.engine.discriminator.parameters()]
    moved = [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
    # A bias in front of a normalisation has no gradient; everything else moves.
    assert sum(moved) >= len(moved) - 4
    critic_steps = MODELS[model].defaults.critic_steps
    assert trainer.progress.images_seen == 2 * 8 * critic_steps
    generator, header = load_generator(trainer.checkpoint_path)
    assert header.training["images_seen"] == 2 * 8 * critic_steps
    assert header.training["command"] == "the command"
    assert header.dataset["fingerprint"] == "c0"
    assert have_equal_weights(generator, as_stored(trainer.engine.generator_ema))
    assert not have_equal_weights(generator, as_stored(trainer.engine.generator))


def test_same_seed_same_training_and_another_seed_another(build_trainer):
    runs = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        trainer = build_trainer(name, seed=seed, steps=3)
        trainer.train()
        runs[name] = read_weights(trainer)
    assert all(map(torch.equal, runs["a"], runs["b"]))
    assert not all(map(torch.equal, runs["a"], runs["c"]))


def test_resume_drops_metrics_of_steps_that_were_not_saved(build_trainer):
    trainer = build_trainer(steps=3, log_every=1)
    trainer.train()
    with trainer.folder.metrics_path.open("a", encoding="utf-8") as file:
        file.write('{"step": 4, "loss_d": 1.0}\n{"step": 5, "lo')
    written = trainer.folder.metrics_path.read_bytes()
    again = build_trainer(steps=5, log_every=1)
    again.resume()
    # A plan only looks, perhaps at a run that another process is training.
    assert trainer.folder.metrics_path.read_bytes() == written
    again.train()
    steps = [row["step"] for row in read_history(trainer.folder.metrics_path)]
    assert steps == [1, 2, 3, 4, 5]


def test_resume_takes_back_what_tensorboard_got_of_steps_that_were_not_saved(build_trainer):
    trainer = build_trainer(steps=3, log_every=1)
    trainer.train()
    before = set(trainer.folder.tensorboard.iterdir())
    again = build_trainer(steps=4, log_every=1)
    again.resume()
    again.train()
    (added,) = set(trainer.folder.tensorboard.iterdir()) - before
    starts = [
        event.step for event in EventFileLoader(str(added)).Load() if event.session_log.status
    ]
    assert starts == [4]  # TensorBoard drops what older files say of this step and later ones


def test_a_final_score_that_was_stopped_is_made_by_the_resume(
    build_trainer, tiny_extractor, monkeypatch
):
    options = {"steps": 4, "score_every": 4, "score_samples": 16, "extractor": "tiny"}
    trainer = build_trainer(**options)
    with monkeypatch.context() as patch:
        patch.setattr(TrainingScorer, "score", lambda *_: None)  # what a signal makes of it
        trainer.train()
    assert trainer.is_finished
    assert not trainer.is_done
    assert not trainer.checkpoint_path.exists()
    resumed = build_trainer(**options)
    resumed.resume()
    resumed.train()
    scores = select_scores(read_history(resumed.folder.metrics_path))
    assert [row["step"] for row in scores] == [4]
    assert resumed.is_done
    assert load_header(resumed.checkpoint_path).training["step"] == 4


def test_a_checkpoint_moved_away_does_not_stop_the_training(build_trainer, tiny_extractor):
    options = {"score_samples": 16, "extractor": "tiny", "score_every": 1}
    build_trainer(steps=1, **options).train()
    trainer = build_trainer(steps=2, **options)
    trainer.checkpoint_path.unlink()
    rows = read_history(trainer.folder.metrics_path)
    best = {**select_scores(rows)[0], "score": 0.0}  # nothing that follows is better
    with trainer.folder.metrics_path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(best) + "\n")
    trainer.resume()
    trainer.train()
    assert trainer.is_done
    assert not trainer.checkpoint_path.exists()


def test_a_resume_without_scores_leaves_the_best_checkpoint(build_trainer, tiny_extractor):
    options = {"score_samples": 16, "extractor": "tiny"}
    build_trainer(steps=2, score_every=2, **options).train()
    trainer = build_trainer(steps=4, score_every=0, **options)
    before = trainer.checkpoint_path.read_bytes()
    trainer.resume()
    trainer.train()
    assert trainer.progress.step == 4
    assert trainer.checkpoint_path.read_bytes() == before


def test_resume_refuses_other_images_and_damaged_states(build_trainer, dataset):
    build_trainer(steps=2).train()
    other = dataclasses.replace(dataset, fingerprint="d1")
    with pytest.raises(CheckpointError, match=r"other images \(fingerprint c0, found d1\)"):
        build_trainer(data=other).resume()
    trainer = build_trainer()
    for path in trainer.folder.states.list_paths():
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"state-0000002\.pt is damaged"):
        trainer.resume()
    for path in trainer.folder.states.list_paths():
        path.unlink()
    with pytest.raises(CheckpointError, match="holds no saved state"):
        trainer.resume()


def test_snapshots_are_spaced_by_the_square_root_of_two():
    steps = [step for step in range(300) if is_snapshot_step(step)]
    assert steps == [0, 16, 23, 32, 45, 64, 91, 128, 181, 256]


def test_snapshots_are_averaged_generators_that_load(build_trainer):
    trainer = build_trainer(steps=16)
    trainer.train()
    names = sorted(path.name for path in trainer.folder.snapshots.iterdir())
    assert names == ["step-0000000.safetensors", "step-0000016.safetensors"]
    found, header = load_generator(trainer.folder.snapshots / names[1])
    assert header.training["step"] == 16
    assert have_equal_weights(found, as_stored(trainer.engine.generator_ema))
    assert not have_equal_weights(found, as_stored(trainer.engine.generator))


def test_the_best_score_is_kept_and_every_score_recorded(build_trainer, tiny_extractor):
    trainer = build_trainer(
        steps=8, score_every=2, score_samples=32, extractor="tiny", grid_every=4, seed=1
    )
    trainer.train()
    scores = select_scores(read_history(trainer.folder.metrics_path))
    assert [row["step"] for row in scores] == [2, 4, 6, 8]
    header = load_header(trainer.checkpoint_path)
    best = min(scores, key=lambda row: row["score"])
    assert header.best_score == best
    assert header.training["step"] == best["step"]
    assert header.history == scores  # also those after the best
    assert {row["score_name"] for row in scores} == {"FD-Tiny"}
    assert all(row["noise_floor"] > 0 for row in scores)
    assert all(row["num_samples"] == 32 for row in scores)
    # Of 48 images 24 can be told from the other 24: the floor of 32 is an estimate, and says so.
    assert not any(row["is_noise_floor_measured"] for row in scores)


def test_a_score_in_training_is_the_score_of_the_same_seeds(build_trainer, tiny_extractor):
    from training.metrics.estimator import compute_score
    from training.metrics.sampling import make_features

    trainer = build_trainer(steps=2, score_every=2, score_samples=40, extractor="tiny")
    trainer.train()
    row = select_scores(read_history(trainer.folder.metrics_path))[0]
    expected = compute_score(
        make_features(make_seeded_images(trainer.engine.generator_ema, CPU), tiny_extractor),
        trainer._scorer.reference,
        tiny_extractor,
        num_samples=40,
        batch_size=7,
    )
    assert row["score"] == pytest.approx(expected.value, rel=1e-6)


def test_tensorboard_gets_losses_scores_and_the_grid(build_trainer, tiny_extractor):
    trainer = build_trainer(
        "tb", "wgan_gp", steps=4, score_every=4, score_samples=16, extractor="tiny", grid_every=4
    )
    trainer.train()
    events = EventAccumulator(str(trainer.folder.tensorboard)).Reload()
    tags = set(events.Tags()["scalars"])
    assert tags >= {"loss/discriminator", "loss/generator", "loss/gradient_penalty"}
    assert tags >= {"discriminator/real", "discriminator/fake", "score/value", "score/noise_floor"}
    rows = [row for row in read_history(trainer.folder.metrics_path) if "images_per_second" in row]
    logged = {event.step: event.value for event in events.Scalars("loss/generator")}
    assert logged == pytest.approx({row["step"]: row["loss_g"] for row in rows})
    grids = events.Images("samples/fixed_seeds")
    assert [(grid.step, grid.width, grid.height) for grid in grids] == [
        (step, 8 * 32, 8 * 32) for step in (0, 4)
    ]


def poison(batch):
    """Return a batch whose images are not numbers."""
    return dataclasses.replace(batch, images=batch.images * float("nan"))


def test_a_loss_that_is_not_finite_names_step_and_network_and_keeps_the_last_save(build_trainer):
    trainer = build_trainer(steps=40, save_every=2, log_every=20)
    draws = itertools.count(1)
    draw = trainer.batches.draw

    def draw_poison():
        batch = draw()
        return poison(batch) if next(draws) == 5 else batch

    trainer.batches.draw = draw_poison  # real data that overflow, as after a bad decode
    with pytest.raises(TrainingError, match=r"loss of the discriminator became nan at step 5.*"):
        trainer.train()
    state = trainer.folder.states.load()
    assert state["step"] == 4
    assert all(torch.isfinite(weights).all() for weights in state["engine"]["generator"].values())
    load_generator(trainer.checkpoint_path)  # refuses weights that are not finite
    assert load_header(trainer.checkpoint_path).training["step"] == 4


def test_rows_of_losses_have_the_learning_rates_of_their_step(build_trainer):
    rates = {"learning_rate_g": 0.001, "learning_rate_d": 0.004}
    trainer = build_trainer(steps=8, log_every=2, lr_decay=0.5, **rates)
    trainer.train()
    rows = read_history(trainer.folder.metrics_path)
    # Before step 6 five eighths are done: three quarters of the last half are left.
    factors = {2: 1.0, 4: 1.0, 6: 0.75, 8: 0.25}
    for name, rate in rates.items():
        found = {row["step"]: row[name] for row in rows}
        assert found == pytest.approx({step: rate * factor for step, factor in factors.items()})


def test_instance_noise_reaches_everything_the_discriminator_sees(build_trainer):
    trainer = build_trainer(model="sgan", instance_noise=0.5, batch_size=16)
    seen = []
    first_layer = trainer.engine.discriminator.layers[0]  # passes images on, flattened
    first_layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    trainer.engine.run(1, trainer.batches.draw)
    real, fake, fake_again = seen
    # Real images have one colour: what varies inside a channel is the noise.
    assert real.std(dim=(2, 3)).mean().item() == pytest.approx(0.5, rel=0.02)
    difference = (fake_again - fake).std().item()  # two draws of noise on the same images
    assert difference == pytest.approx(0.5 * 2**0.5, rel=0.02)


def test_bfloat16_training_stays_close_to_float32(build_trainer):
    losses = {}
    for precision in ("fp32", "bf16"):
        trainer = build_trainer(precision, precision=precision, steps=1, log_every=1)
        trainer.train()
        losses[precision] = read_history(trainer.folder.metrics_path)[0]
    assert losses["bf16"]["loss_d"] == pytest.approx(losses["fp32"]["loss_d"], rel=0.02)
    assert losses["bf16"]["loss_d"] != losses["fp32"]["loss_d"]


# Batch normalisation makes every one-colour batch the same, so DCGAN could not learn this.
@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("sgan", {"steps": 200, "learning_rate_g": 5e-4, "learning_rate_d": 5e-4}),
        (
            "wgan_gp",
            {"steps": 120, "learning_rate_g": 2e-3, "learning_rate_d": 4e-3, "critic_steps": 2},
        ),
    ],
)
def test_training_finds_the_colour_of_one_colour_images(model, options, build_trainer, dataset):
    images = np.zeros((16, 3, 32, 32), np.uint8)
    images[:, 0], images[:, 1], images[:, 2] = 204, 102, 51
    trainer = build_trainer(
        model=model,
        data=dataclasses.replace(dataset, images=images),
        **{"ema_decay": 0.9, "log_every": 50, **options},
    )
    trainer.train()
    with torch.no_grad():
        samples = trainer.engine.generator_ema(sample_latents(range(16), 8))
    found = ((samples.mean(dim=(0, 2, 3)) + 1) * 127.5).tolist()
    # Grey would be 77 off. Other seeds, and other sums of more or fewer threads, stay within 15.
    assert found == pytest.approx([204, 102, 51], abs=20)


def test_history_rows_are_json_with_the_promised_names(build_trainer):
    trainer = build_trainer("wgan", "wgan_gp", steps=2)
    trainer.train()
    row = json.loads(trainer.folder.metrics_path.read_text(encoding="utf-8").splitlines()[0])
    assert set(row) == {
        *("step", "images_seen", "seconds", "images_per_second", "memory_mb"),
        *("loss_d", "loss_g", "penalty", "d_real", "d_fake", "d_accuracy", "d_skipped"),
        *("loss_predictor", "loss_labels", "learning_rate_g", "learning_rate_d"),
    }
    assert (row["loss_predictor"], row["loss_labels"]) == (None, None)  # it learns no labels
    assert row["d_accuracy"] is None  # a critic has no boundary between real and fake
    assert row["penalty"] > 0
    assert row["images_seen"] == 80
