"""What a training step does with each technique, on small networks."""

import io

import numpy as np
import pytest
import torch

from training.batches import ImageBatches, RealBatch
from training.config import TrainConfig
from training.datasets import ImageDataset
from training.labels import NO_LABELS, ClassLabel, LabelLayout
from training.losses import compute_bce_discriminator_loss
from training.models import MODELS
from training.step import AdversarialStep
from training.updates import STAT_NAMES, Batch

LABELS = LabelLayout((ClassLabel("hair", ("short", "long"), (0.5, 0.5)),))
CPU = torch.device("cpu")

# Every technique, on a model that it makes sense for.
TECHNIQUES = {
    "hinge and spectral": ("dcgan", {"loss": "hinge", "critic_norm": "spectral"}),
    "no normalisation": ("dcgan", {"critic_norm": "none", "label_smoothing": 0.1}),
    "linear, spectral": ("sgan", {"critic_norm": "spectral", "has_minibatch_stddev": True}),
    "rmsprop": ("dcgan", {"optimizer": "rmsprop", "lr_decay": 0.5, "steps": 4}),
    "weight clip": ("wgan", {"critic_steps": 2}),
    "skipping": ("dcgan", {"skip_discriminator_above": 0.6}),
    "feature matching": ("wgan_gp", {"feature_matching": 0.1, "critic_steps": 2}),
    "historical averaging": ("dcgan", {"historical_averaging": 0.1}),
    "augmentation": (
        "wgan_gp",
        {"diff_augment": "color,translation,cutout", "instance_noise": 0.1, "critic_steps": 1},
    ),
    "attention": ("dcgan", {"has_self_attention": True, "resolution": 64}),
    "minibatch": ("wgan_gp", {"has_minibatch_stddev": True, "critic_steps": 2}),
    "labels": ("label_gan", {"critic_steps": 2, "predictor_weight": 5.0}),
    "labels, an auxiliary classifier": (
        "label_gan",
        {"predictor_data": "real", "predictor_moves_critic": True, "predictor_layer": 4},
    ),
    "labels, projection and an augmented reader": (
        "label_gan",
        {
            "has_projection": True,
            "predictor_layer": 0,
            "predictor_augment": "color,crop,blur,jpeg",
            "predictor_noise": 0.1,
            "predictor_data": "both",
        },
    ),
    "accumulation": ("wgan_gp", {"grad_accum": 2, "critic_steps": 2}),
}


def build_step(model="dcgan", resolution=32, device=CPU, has_autocast=False, **options):
    small = {"width": 4, "z_dim": 8, "batch_size": 8}
    config = TrainConfig(model, "any", "any", **{**small, **options}).resolve()
    labels = LABELS if MODELS[model].has_labels else NO_LABELS
    model_config = config.build_model_config(3, resolution, labels)
    return AdversarialStep(config, model_config, device, has_autocast)


def build_batches(resolution=32, batch_size=8, device=CPU):
    """Build batches of 48 noisy images, each with one label of two classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (48, 3, resolution, resolution), np.uint8)
    rows = rng.integers(0, 2, (48, 1)).astype(np.float32)
    dataset = ImageDataset("any", "any", "any", images, "any")
    return ImageBatches(dataset, batch_size, 0, False, device, label_rows=rows)


def draw_white():
    return RealBatch(torch.ones(8, 3, 32, 32), torch.zeros(8, 1))


def make_part(real_images):
    """Return a batch of these real images, without labels."""
    size = len(real_images)
    return Batch(torch.zeros(size, 8), real_images, torch.zeros(size, 0), torch.zeros(size))


def draw_black():
    return RealBatch(-torch.ones(8, 3, 32, 32), torch.zeros(8, 1))


def run_steps(step, batches, first, last, num_steps=4):
    stats = []
    for number in range(first, last + 1):
        step.set_progress((number - 1) / num_steps)
        stats.append(step.run(number, batches.draw))
    return torch.stack(stats)


def read_weights(step):
    networks = (step.generator, step.discriminator, step.generator_ema)
    return [value.clone() for network in networks for value in network.state_dict().values()]


def read_stats(stats):
    return dict(zip(STAT_NAMES, stats.tolist(), strict=True))


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_resume_is_exact_with_every_technique(name):
    model, options = TECHNIQUES[name]
    resolution = options.get("resolution", 32)
    whole, batches = build_step(model, **options), build_batches(resolution)
    expected = run_steps(whole, batches, 1, 4)
    broken, batches = build_step(model, **options), build_batches(resolution)
    run_steps(broken, batches, 1, 2)
    buffer = io.BytesIO()
    torch.save(broken.state_dict(), buffer)
    buffer.seek(0)
    resumed = build_step(model, **options, seed=0)
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    found = run_steps(resumed, batches, 3, 4)
    assert torch.equal(found.nan_to_num(), expected[2:].nan_to_num())
    assert all(map(torch.equal, read_weights(whole), read_weights(resumed)))


@pytest.mark.parametrize("name", TECHNIQUES)
def test_every_technique_changes_the_training(name):
    model, options = TECHNIQUES[name]
    options = dict(options)
    resolution = options.pop("resolution", 32)
    critic_steps = {"critic_steps": options.get("critic_steps")}
    steps = [
        build_step(model, resolution, **options),
        build_step(
            model, resolution, **({"weight_clip": 0.0} if model == "wgan" else critic_steps)
        ),
    ]
    for step in steps:
        run_steps(step, build_batches(resolution), 1, 4)
    first, second = (torch.cat([p.flatten() for p in s.generator.parameters()]) for s in steps)
    assert torch.isfinite(first).all()
    if "has_self_attention" in options:  # there are more weights: the blocks' own have to matter
        for network in (steps[0].generator, steps[0].discriminator):
            scales = [value for name, value in network.named_parameters() if "gamma" in name]
            assert scales
            assert all(scale.abs() > 0 for scale in scales)
    else:
        assert not torch.equal(first, second)


def test_wgan_clips_the_critic_and_leaves_the_generator():
    step = build_step("wgan", critic_steps=2)
    step.run(1, build_batches().draw)
    largest = max(weights.abs().max().item() for weights in step.discriminator.parameters())
    assert largest == pytest.approx(0.01)
    assert max(weights.abs().max().item() for weights in step.generator.parameters()) > 0.5


def test_label_smoothing_reaches_the_loss():
    step = build_step(label_smoothing=0.25)
    real, fake = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 0.0])
    found = step.updates.objective.compute_discriminator_loss(real, fake)
    assert found == compute_bce_discriminator_loss(real, fake, label_smoothing=0.25)
    assert found.item() == pytest.approx(
        compute_bce_discriminator_loss(real, fake).item() + 0.25 * -0.5
    )


def make_brightness_judge(**options):
    """Build a step whose generator draws black and whose discriminator calls bright images real."""
    step = build_step("sgan", **options)
    with torch.no_grad():
        step.generator.layers[-2].bias.fill_(-40.0)
        for layer in step.discriminator.layers:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.fill_(0.01)
    return step


def test_the_discriminator_s_step_is_skipped_while_it_wins():
    step = make_brightness_judge(skip_discriminator_above=0.9, critic_steps=2)
    before = [weights.clone() for weights in step.discriminator.parameters()]
    stats = read_stats(step.run(1, draw_white))
    assert (stats["d_accuracy"], stats["d_skipped"]) == (1.0, 1.0)
    assert all(map(torch.equal, before, step.discriminator.parameters()))
    # Black real images get the logits of the fakes: half is right.
    stats = read_stats(step.run(2, draw_black))
    assert (stats["d_accuracy"], stats["d_skipped"]) == (0.5, 0.0)
    assert not any(map(torch.equal, before, step.discriminator.parameters()))


def test_the_share_of_skipped_steps_is_over_the_critic_steps():
    step = make_brightness_judge(skip_discriminator_above=0.9, critic_steps=4)
    draws = iter([draw_white, draw_white, draw_white, draw_black])
    assert read_stats(step.run(1, lambda: next(draws)()))["d_skipped"] == 0.75


def test_losses_are_means_over_the_critic_steps():
    step = make_brightness_judge(critic_steps=4)
    step.optimizer_d.step = lambda: None  # the judge stays
    draws = iter([draw_white, draw_white, draw_white, draw_black])
    mixed = read_stats(step.run(1, lambda: next(draws)()))
    white, black = (read_stats(step.run(1, draw))["d_real"] for draw in (draw_white, draw_black))
    assert mixed["d_real"] == pytest.approx((3 * white + black) / 4)


def test_an_accuracy_at_the_threshold_does_not_skip():
    step = make_brightness_judge(skip_discriminator_above=0.5)
    assert read_stats(step.run(1, draw_black))["d_skipped"] == 0.0
    step = make_brightness_judge()
    assert read_stats(step.run(1, draw_white))["d_skipped"] == 0.0  # unless it is asked for


@pytest.mark.parametrize(("model", "norm"), [("dcgan", "layer"), ("sgan", "none")])
def test_feature_matching_adds_the_distance_of_the_mean_last_features(model, norm):
    options = {"critic_norm": norm}
    plain = build_step(model, **options)
    matching = build_step(model, feature_matching=0.5, **options)
    torch.manual_seed(0)
    real, fake = torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32)
    with torch.no_grad():
        body = plain.discriminator.layers[:-1]
        distance = (body(real).mean(0) - body(fake).mean(0)).square().sum()
        part = make_part(real)
        expected = plain.updates.compute_generator_loss(fake, part)[0] + 0.5 * distance
        found = matching.updates.compute_generator_loss(fake, part)[0]
    assert distance > 0
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_feature_matching_pulls_generated_images_towards_real_ones():
    step = build_step(feature_matching=100.0, critic_norm="layer")
    step.discriminator.requires_grad_(False)
    torch.manual_seed(0)
    real, fake = torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32).requires_grad_(True)
    features = step.discriminator.extract_features
    before = (features(real).mean(0) - features(fake).mean(0)).square().sum()
    (gradient,) = torch.autograd.grad(
        step.updates.compute_generator_loss(fake, make_part(real))[0], fake
    )
    moved = fake - 1e-3 * gradient / gradient.norm()
    assert (features(real).mean(0) - features(moved).mean(0)).square().sum() < before


def test_augmentation_reaches_everything_the_discriminator_sees():
    step = build_step(diff_augment="cutout")
    seen = []
    step.discriminator.layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    step.run(1, build_batches().draw)
    assert len(seen) == 3  # real, fake, fake again
    for images in seen:
        shares = (images == 0).flatten(1).float().mean(dim=1)
        # A quarter of the image, or what of it is inside: 8 of 32 rows and columns at a corner.
        assert (shares >= 1 / 16).all()
        assert (shares <= 1 / 4 + 0.01).all()
    assert not torch.equal(seen[1] == 0, seen[2] == 0)  # drawn anew


@pytest.mark.parametrize(
    "options",
    [
        {"instance_noise": 0.2},
        {"diff_augment": "cutout"},
        {"predictor_noise": 0.2, "predictor_layer": 0},
        {"predictor_augment": "crop", "predictor_layer": 0},
    ],
)
def test_every_step_changes_images_in_another_way(options):
    step, seen = build_step("label_gan", critic_steps=1, predictor_data="real", **options), []
    network = step.discriminator
    layer = network.predictor if "predictor_layer" in options else network.layers[0]
    layer.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    pattern = torch.linspace(-1, 1, 32).expand(8, 3, 32, 32).contiguous()

    def look(number):
        """Return what is seen of the same real images, which come first."""
        seen.clear()
        step.run(number, lambda: RealBatch(pattern, torch.zeros(8, 1)))
        return seen[0]

    first, second = look(1), look(2)
    assert not torch.equal(first, second)
    assert torch.equal(look(1), first)  # and the same step in the same way


@pytest.fixture
def double_precision():
    """Draw and compute in float64, in which rounding does not hide a difference."""
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(torch.float)


@pytest.mark.parametrize("num_parts", [2, 4])
def test_accumulated_gradients_are_those_of_the_whole_batch(num_parts, double_precision):
    gradients = []
    for grad_accum in (1, num_parts):
        # A discriminator that stays where it is gives the generator the same slope.
        step = build_step("wgan_gp", grad_accum=grad_accum, critic_steps=1, learning_rate_d=1e-8)
        step.generator.eval()  # its batch norm would see the parts
        batch = build_batches().draw()
        batch = RealBatch(batch.images.double(), batch.labels.double())
        stats = read_stats(step.run(1, lambda batch=batch: batch))
        networks = (step.discriminator, step.generator)
        gradients.append([p.grad for network in networks for p in network.parameters()])
        gradients[-1].append(torch.tensor([stats["loss_d"], stats["penalty"], stats["loss_g"]]))
    for whole, parts in zip(*gradients, strict=True):
        assert torch.allclose(whole, parts, rtol=0, atol=1e-6 * max(1.0, whole.abs().max().item()))


def test_parts_reach_the_networks_one_at_a_time():
    step = build_step("dcgan", grad_accum=4)
    sizes = []
    step.discriminator.layers[0].register_forward_pre_hook(
        lambda _, args: sizes.append(len(args[0]))
    )
    step.run(1, build_batches().draw)
    assert sizes == [2] * 12  # real and fake in four parts, and fake again for the generator


def test_the_generator_runs_once_per_critic_step():
    step = build_step("wgan_gp", critic_steps=3)
    calls = []
    step.generator.register_forward_hook(lambda *_: calls.append(1))
    step.run(1, build_batches().draw)
    assert len(calls) == 3


@pytest.mark.parametrize("model", MODELS)
def test_accuracy_is_given_where_losses_have_a_boundary(model):
    step = build_step(model)
    stats = read_stats(step.run(1, build_batches().draw))
    has_boundary = MODELS[model].objective == "non_saturating"
    assert (0 <= stats["d_accuracy"] <= 1) is has_boundary
    assert np.isnan(stats["d_accuracy"]) != has_boundary


def test_learning_rates_fall_to_the_end_of_the_training():
    step = build_step(lr_decay=0.5, steps=4, learning_rate_g=0.1, learning_rate_d=0.4)
    run_steps(step, build_batches(), 1, 4)
    rates = [opt.optimizer.param_groups[0]["lr"] for opt in (step.optimizer_g, step.optimizer_d)]
    assert rates == pytest.approx([0.05, 0.2])  # three quarters were done before the last step
