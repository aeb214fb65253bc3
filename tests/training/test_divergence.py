"""Trainings that run away: named, stopped before anything bad is saved, or rewound."""

import math

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.checkpoint import load_generator, load_header
from training.errors import DivergenceError, TrainingError
from training.health import check_losses, check_state, check_weights, find_largest
from training.history import is_loss_row, read_history
from training.reporting import LOSS_TAGS
from training.updates import STAT_NAMES


def list_floats(value):
    """List the floating-point tensors in a nested state."""
    if isinstance(value, torch.Tensor):
        return [value] if value.is_floating_point() else []
    if isinstance(value, dict):
        value = list(value.values())
    return (
        [tensor for one in value for tensor in list_floats(one)] if isinstance(value, list) else []
    )


def set_first(tensor, value):
    """Set the first value of a tensor, whatever its memory layout."""
    with torch.no_grad():
        tensor[(0,) * tensor.ndim] = value


def poison(trainer, at_step, rate=0.0):
    """Make a weight of the generator infinite before a step, while its learning rate is `rate`."""
    run, engine = trainer.engine.run, trainer.engine

    def run_poisoned(step, draw):
        if step == at_step and engine.optimizer_g.optimizer.param_groups[0]["lr"] >= rate:
            set_first(next(engine.generator.parameters()), math.inf)
        return run(step, draw)

    engine.run = run_poisoned


def test_the_largest_value_is_found_and_nan_wins():
    tensors = [torch.tensor([[1.0, -5.0]]), torch.tensor(3.0, dtype=torch.bfloat16)]
    assert find_largest(tensors).item() == 5.0
    assert find_largest([*tensors, torch.tensor([-math.inf])]).item() == math.inf
    assert math.isnan(
        find_largest([torch.tensor([math.nan, 1.0]), torch.tensor([math.inf])]).item()
    )
    # Squares of these would overflow; the values themselves do not.
    assert find_largest([torch.full((3,), 1e30)]).item() == pytest.approx(1e30)


def test_the_first_bad_loss_names_its_step_and_network():
    stats = torch.zeros(4, len(STAT_NAMES))
    check_losses(40, stats)
    stats[2, STAT_NAMES.index("loss_g")] = math.inf
    stats[3, STAT_NAMES.index("loss_d")] = math.nan
    with pytest.raises(
        DivergenceError, match="loss of the generator became inf at step 39"
    ) as found:
        check_losses(40, stats)
    assert (found.value.step, found.value.network) == (39, "generator")


@pytest.mark.parametrize(
    ("network", "value", "sentence"),
    [
        ("generator", math.nan, "A weight of the generator became nan by step 7"),
        ("discriminator", -math.inf, "A weight of the discriminator became inf by step 7"),
        ("generator_ema", 7e4, "averaged generator became 7e[+]04 by step 7, beyond the 65,504"),
    ],
)
def test_a_bad_weight_names_its_network(network, value, sentence, build_trainer):
    engine = build_trainer().engine
    check_weights(engine, 7)
    set_first(next(getattr(engine, network).parameters()), value)
    with pytest.raises(DivergenceError, match=sentence):
        check_weights(engine, 7)


def test_a_bad_moment_of_an_optimiser_is_not_saved(build_trainer):
    trainer = build_trainer(steps=2)
    trainer.train()
    state = trainer.engine.state_dict()
    check_state(state, 2)
    set_first(state["optimizer_d"]["state"][0]["exp_avg_sq"], math.inf)
    with pytest.raises(DivergenceError, match=r"discriminator's state \(optimizer_d\) holds inf"):
        check_state(state, 2)


def test_a_learning_rate_of_a_thousand_stops_and_keeps_the_last_good_state(build_trainer):
    rates = {"learning_rate_g": 1.0, "learning_rate_d": 1.0}
    trainer = build_trainer(model="wgan_gp", steps=400, save_every=2, log_every=50, **rates)
    trainer.engine.scale_learning_rates(1000)
    with pytest.raises(
        TrainingError, match=r"of the (averaged )?(generator|discriminator).*step \d+"
    ) as found:
        trainer.train()
    assert "training cannot go on" in str(found.value)
    assert f"{trainer.resume_command} --on-nan rewind" in str(found.value)
    state = trainer.folder.states.load()
    assert all(torch.isfinite(tensor).all() for tensor in list_floats(state))
    assert len(list_floats(state)) > 40  # three networks, two moments each of two
    load_generator(trainer.checkpoint_path)  # refuses weights that are not finite


@pytest.mark.parametrize(
    ("at_step", "is_after", "sentence"),
    [
        # Images of NaN are first seen by the discriminator, in the same step.
        (10, False, "The loss of the discriminator became nan at step 10: training cannot go on"),
        # Put there after the losses of step 12: no loss tells, and the save of step 12 is due.
        (12, True, "A weight of the generator became inf by step 12: training cannot go on"),
    ],
)
def test_an_infinite_weight_stops_at_the_next_row_of_losses(
    at_step, is_after, sentence, build_trainer
):
    trainer = build_trainer(steps=40, save_every=4, log_every=4)
    run, weight = trainer.engine.run, next(trainer.engine.generator.parameters())

    def run_poisoned(step, draw):
        if (step, is_after) == (at_step, False):
            set_first(weight, math.inf)
        stats = run(step, draw)
        if (step, is_after) == (at_step, True):
            set_first(weight, math.inf)
        return stats

    trainer.engine.run = run_poisoned
    with pytest.raises(TrainingError, match=sentence):
        trainer.train()
    assert trainer.folder.states.load()["step"] == 8
    assert read_history(trainer.folder.metrics_path)[-1]["step"] == 8


def test_a_rewind_halves_both_rates_and_is_announced_and_recorded(build_trainer, capsys):
    rate = 2e-4
    trainer = build_trainer(steps=12, save_every=4, log_every=3, on_nan="rewind")
    # Bad while the rate is above a third of what it was: two rewinds are needed.
    poison(trainer, at_step=7, rate=rate / 3)
    trainer.train()
    assert trainer.is_done
    rows = read_history(trainer.folder.metrics_path)
    rewinds = [row for row in rows if row.get("event") == "rewind"]
    assert [row["num_rewinds"] for row in rewinds] == [1, 2]
    assert [row["learning_rate_g"] for row in rewinds] == [rate / 2, rate / 4]
    assert [row["learning_rate_d"] for row in rewinds] == [rate / 2, rate / 4]
    for row in rewinds:
        assert (row["step"], row["failed_step"], row["network"]) == (4, 7, "discriminator")
        assert row["reason"] == "The loss of the discriminator became nan at step 7"
    losses = {row["step"]: row for row in rows if is_loss_row(row)}
    assert list(losses) == [3, 4, 6, 8, 9, 12]
    for name in ("learning_rate_g", "learning_rate_d"):
        assert [row[name] for row in losses.values()] == [rate] * 2 + [rate / 4] * 4
    told = capsys.readouterr().err
    assert "going back to step 4 with both learning rates halved (rewind 2 of 3)" in told
    assert "only the lower rates make them end differently" in told
    groups = trainer.folder.states.load()["engine"]["optimizer_d"]["param_groups"]
    assert [group["lr"] for group in groups] == [rate / 4]
    # TensorBoard shows each step once, from the training that counted.
    events = EventAccumulator(str(trainer.folder.tensorboard)).Reload()
    assert [event.step for event in events.Scalars("loss/generator")] == [3, 4, 6, 8, 9, 12]
    shown = {event.step: event.value for event in events.Scalars("learning_rate/generator")}
    expected = {step: row["learning_rate_g"] for step, row in losses.items()}
    assert shown == pytest.approx(expected)
    # Nothing of a rewind's own row is a curve there.
    assert set(events.Tags()["scalars"]) <= set(LOSS_TAGS.values())


def test_a_resume_keeps_the_count_of_rewinds_and_the_halved_rates(build_trainer):
    options = {"save_every": 2, "log_every": 2, "on_nan": "rewind"}
    trainer = build_trainer(steps=4, **options)
    poison(trainer, at_step=3, rate=2e-4)
    trainer.train()
    for count in (2, 3):
        trainer = build_trainer(steps=4 * count, **options)
        trainer.resume()
        groups = trainer.engine.optimizer_g.optimizer.param_groups
        assert groups[0]["lr"] == 2e-4 / 2 ** (count - 1)
        poison(trainer, at_step=4 * count - 1, rate=2e-4 / 2 ** (count - 1))
        trainer.train()
        assert trainer.folder.states.load()["num_rewinds"] == count
    trainer = build_trainer(steps=20, **options)
    trainer.resume()
    poison(trainer, at_step=15, rate=0.0)
    with pytest.raises(TrainingError, match="since 3 rewinds with ever lower rates did not help"):
        trainer.train()
    assert trainer.folder.states.load()["step"] == 14
    rows = read_history(trainer.folder.metrics_path)
    assert [row["num_rewinds"] for row in rows if "event" in row] == [1, 2, 3]


def test_a_rate_far_too_high_is_halved_three_times_and_then_stops(build_trainer):
    """A real divergence, not a planted one."""
    options = {"learning_rate_g": 1.0, "learning_rate_d": 1.0, "on_nan": "rewind"}
    trainer = build_trainer(model="wgan_gp", steps=400, save_every=1, log_every=50, **options)
    trainer.engine.scale_learning_rates(1000)
    with pytest.raises(TrainingError, match="3 rewinds"):
        trainer.train()
    rewinds = [row for row in read_history(trainer.folder.metrics_path) if "event" in row]
    assert [row["learning_rate_g"] for row in rewinds] == [500.0, 250.0, 125.0]
    steps = [row["failed_step"] for row in rewinds]
    assert steps == sorted(steps)
    assert all(torch.isfinite(t).all() for t in list_floats(trainer.folder.states.load()))


def test_scores_go_on_after_a_rewind(build_trainer, tiny_extractor):
    options = {"score_every": 4, "score_samples": 16, "extractor": "tiny", "on_nan": "rewind"}
    trainer = build_trainer(steps=8, **options)
    poison(trainer, at_step=6, rate=2e-4)
    trainer.train()
    rows = read_history(trainer.folder.metrics_path)
    assert [row["step"] for row in rows if "score" in row] == [4, 8]
    assert [row["step"] for row in rows if "event" in row] == [4]


@pytest.mark.parametrize("last", [8, 6])  # a score that is due, and the one at the end
def test_no_score_is_kept_of_a_step_whose_state_is_not_finite(build_trainer, tiny_extractor, last):
    options = {"score_every": 4, "score_samples": 16, "extractor": "tiny"}
    trainer = build_trainer(steps=last, **options)
    run = trainer.engine.run

    def run_poisoned(step, draw):
        stats = run(step, draw)
        if step == last:  # overflown squares of gradients: losses and weights look well
            moments = trainer.engine.optimizer_d.optimizer.state_dict()["state"][0]
            set_first(moments["exp_avg_sq"], math.inf)
        return stats

    trainer.engine.run = run_poisoned
    with pytest.raises(TrainingError, match=r"discriminator's state \(optimizer_d\) holds inf"):
        trainer.train()
    rows = read_history(trainer.folder.metrics_path)
    assert [row["step"] for row in rows if "score" in row] == [4]
    assert trainer.folder.states.load()["step"] == 4
    assert load_header(trainer.checkpoint_path).training["step"] == 4
