"""TensorBoard files read back: histograms, the embedding projector, memory."""

import copy
import csv
import re

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from training.datasets import ImageDataset
from training.history import read_history
from training.memory import measure_memory
from training.metrics.sampling import make_seeded_images
from training.projector import MAX_SPRITE_SIDE, build_embedding

ALL = {"histograms": 0, "scalars": 0}


def read_vectors(path):
    """Read the rows of numbers in a .tsv file."""
    with path.open(newline="") as file:
        return np.array([[float(cell) for cell in row] for row in csv.reader(file, delimiter="\t")])


def test_histograms_hold_every_weight_and_gradient_of_both_networks(build_trainer):
    trainer = build_trainer("h", "wgan_gp", steps=5, histograms_every=2, critic_steps=1)
    trainer.train()
    events = EventAccumulator(str(trainer.folder.tensorboard), size_guidance=ALL).Reload()
    expected = {
        f"{name}/{kind}/{key.replace('.', '/')}": weight.numel()
        for name in ("generator", "discriminator")
        for key, weight in getattr(trainer.engine, name).named_parameters()
        for kind in ("weights", "gradients")
    }
    assert set(events.Tags()["histograms"]) == set(expected)
    for tag, count in expected.items():
        found = events.Histograms(tag)
        assert [event.step for event in found] == [2, 4]
        assert [event.histogram_value.num for event in found] == [count, count]
    # The last gradient moves the weights: where it is not zero, they are not the same at 2 and 4.
    tag = "generator/weights/layers/0/weight"
    first, second = (event.histogram_value.sum for event in events.Histograms(tag))
    assert first != second


def test_a_histogram_spans_the_weights_of_its_step(build_trainer):
    trainer = build_trainer(steps=4, histograms_every=4)
    trainer.train()
    events = EventAccumulator(str(trainer.folder.tensorboard), size_guidance=ALL).Reload()
    for key, weight in trainer.engine.discriminator.named_parameters():
        tag = f"discriminator/weights/{key.replace('.', '/')}"
        (event,) = events.Histograms(tag)
        value = event.histogram_value
        found = [value.min, value.max, value.sum, value.sum_squares]
        weight = weight.detach().double()
        sums = [weight.sum().item(), weight.square().sum().item()]
        assert found == pytest.approx([weight.min().item(), weight.max().item(), *sums], rel=1e-4)


def test_without_the_options_there_are_neither(build_trainer):
    trainer = build_trainer(steps=4)
    trainer.train()
    events = EventAccumulator(str(trainer.folder.tensorboard), size_guidance=ALL).Reload()
    assert events.Tags()["histograms"] == []
    assert not (trainer.folder.tensorboard / "projector_config.pbtxt").exists()


def test_the_projector_shows_generated_and_real_images_by_their_features(
    build_trainer, tiny_extractor, dataset
):
    trainer = build_trainer(steps=3, projector=10, extractor="tiny")
    with torch.no_grad():
        for network in (trainer.engine.generator, trainer.engine.generator_ema):
            for weights in network.parameters():
                if weights.ndim > 1:
                    weights.mul_(20)  # fresh ones make pictures that are all but one grey
    trainer.train()
    folder = trainer.folder.tensorboard
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (info,) = config.embeddings
    vectors = read_vectors(folder / info.tensor_path)
    generated = make_seeded_images(trainer.engine.generator_ema, "cpu")(0, 10)
    raw = make_seeded_images(copy.deepcopy(trainer.engine.generator).eval(), "cpu")(0, 10)
    assert (generated.float() - raw.float()).abs().max() > 10  # the averaged one's, or these
    assert (generated[0].float() - generated[7].float()).abs().max() > 100
    # Ten of 48 images, evenly: 0, 47/9, 94/9, ... rounded.
    real = torch.from_numpy(dataset.images[[0, 5, 10, 16, 21, 26, 31, 37, 42, 47]])
    expected = tiny_extractor(torch.cat([generated, real])).numpy()
    assert vectors == pytest.approx(expected, abs=1e-6)
    kinds = (folder / info.metadata_path).read_text().split()
    assert kinds == ["generated"] * 10 + ["real"] * 10
    # 20 pictures of 32 x 32 in a square of 5 x 5, row by row.
    assert list(info.sprite.single_image_dim) == [32, 32]
    with Image.open(folder / info.sprite.image_path) as sprite:
        pixels = np.asarray(sprite).astype(int)
    assert pixels.shape == (160, 160, 3)
    for index, picture in ((0, generated[0]), (7, generated[7]), (13, real[3])):
        row, column = divmod(index, 5)
        tile = pixels[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
        assert np.abs(tile - picture.permute(1, 2, 0).numpy()).max() <= 1


def test_no_more_real_images_are_shown_than_there_are(build_trainer, tiny_extractor):
    trainer = build_trainer(steps=1, projector=100, extractor="tiny")
    trainer.train()
    (path,) = trainer.folder.tensorboard.rglob("metadata.tsv")
    assert path.read_text().split() == ["generated"] * 48 + ["real"] * 48


def test_grey_pictures_get_three_channels_and_large_ones_fit_into_a_sprite(tiny_extractor):
    images = np.full((130, 1, 512, 512), 51, np.uint8)
    data = ImageDataset("folder:grey", "Grey", "CC0", images, "g")

    def make_images(start, count):
        return torch.from_numpy(images[start : start + count])

    embedding = build_embedding(make_images, data, tiny_extractor, 130, lambda: False)
    # 260 pictures are 17 x 17 in a sprite: at most 8192 // 17 = 481 pixels a side.
    assert embedding.pictures.shape == (260, 3, 481, 481)
    assert MAX_SPRITE_SIDE >= 17 * 481
    assert embedding.pictures.min().item() == pytest.approx(0.2)
    assert embedding.pictures.max().item() == pytest.approx(0.2)
    assert embedding.features.shape == (260, 48)


def test_the_resident_memory_is_recorded_as_the_system_tells_it(build_trainer):
    import psutil

    trainer = build_trainer(steps=4)
    trainer.train()
    rows = read_history(trainer.folder.metrics_path)
    events = EventAccumulator(str(trainer.folder.tensorboard), size_guidance=ALL).Reload()
    logged = {event.step: event.value for event in events.Scalars("memory/resident_mb")}
    assert logged == pytest.approx({row["step"]: row["memory_mb"] for row in rows})
    block = torch.ones(25_000_000)  # 100 MB
    found = measure_memory(torch.device("cpu"))
    assert set(found) == {"memory_mb"}
    expected = psutil.Process().memory_info().rss / 1e6
    assert found["memory_mb"] == pytest.approx(expected, abs=5)
    assert found["memory_mb"] >= 4 * block.numel() / 1e6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_the_peak_on_a_gpu_counts_what_was_freed():
    device = torch.device("cuda")
    torch.cuda.reset_peak_memory_stats(device)
    block = torch.ones(25_000_000, device=device)
    size = 4 * block.numel() / 1e6
    del block
    assert measure_memory(device)["gpu_memory_mb"] >= size


def test_tags_are_paths_that_tensorboard_groups_by_network(build_trainer):
    trainer = build_trainer(steps=2, histograms_every=2)
    trainer.train()
    tags = EventAccumulator(str(trainer.folder.tensorboard), size_guidance=ALL).Reload().Tags()
    for tag in tags["histograms"]:
        assert re.fullmatch(r"(generator|discriminator)/(weights|gradients)/[\w/]+", tag)
