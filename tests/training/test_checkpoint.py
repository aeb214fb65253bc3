"""Checkpoint files: the round trip, and every kind of damage told apart."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from training.checkpoint import (
    METADATA_KEY,
    CheckpointHeader,
    hash_weights,
    load_fitting_header,
    load_generator,
    load_header,
    save_generator,
)
from training.errors import CheckpointError
from training.labels import NO_LABELS, ClassLabel, LabelLayout, NumberLabel
from training.latents import sample_latents
from training.models import MODELS, ModelConfig, build_generator

LABELS = LabelLayout(
    (ClassLabel("hair", ("short", "long"), (0.5, 0.5)), NumberLabel("age", (0.0, 50.0)))
)
HISTORY = [
    {"step": 10, "score": 40.0},
    {"step": 20, "score": 30.0},
    {"step": 30, "score": None},
    {"step": 35, "score": "1.0"},
    {"step": 40, "score": 35.0},
]


def make_config(model="dcgan"):
    labels = LABELS if MODELS[model].has_labels else NO_LABELS
    return ModelConfig(model, z_dim=6, width=2, img_resolution=32, labels=labels)


@pytest.fixture
def path(tmp_path):
    torch.manual_seed(0)
    config = make_config()
    header = CheckpointHeader(config, {"name": "noise"}, {"images_seen": 640}, HISTORY)
    save_generator(tmp_path / "tiny.safetensors", build_generator(config), header)
    return tmp_path / "tiny.safetensors"


def rewrite(path, change_tensors=None, change_metadata=None):
    """Write the file again with changed tensors or metadata."""
    tensors, header = load_file(path), load_header(path).to_json()
    metadata = {METADATA_KEY: header}
    if change_tensors:
        change_tensors(tensors)
    if change_metadata:
        metadata = change_metadata(json.loads(header))
    save_file(tensors, path, metadata=metadata)


def scale_up(generator):
    """Scale the weights of a fresh generator, whose pictures are all but one grey."""
    with torch.no_grad():
        for weights in generator.parameters():
            if weights.ndim > 1:
                weights.mul_(5)


@pytest.mark.parametrize("model", MODELS)
def test_round_trip_is_exact_for_every_model(model, tmp_path):
    config = make_config(model)
    generator = build_generator(config).eval()
    scale_up(generator)
    header = CheckpointHeader(config, {"name": "noise", "terms": "CC0"}, {"seed": 3}, HISTORY)
    save_generator(tmp_path / "a.safetensors", generator, header)
    loaded, loaded_header = load_generator(tmp_path / "a.safetensors")
    assert loaded_header == header == load_header(tmp_path / "a.safetensors")
    latents = sample_latents(range(4), 6)
    with torch.no_grad():
        rows = config.labels.draw(range(4))
        assert torch.equal(loaded(latents, rows), generator(latents, rows))
    assert not loaded.training
    assert not any(weights.requires_grad for weights in loaded.parameters())


def test_half_precision_halves_the_file_and_moves_pixels_little(tmp_path):
    config = ModelConfig("dcgan", z_dim=16, width=16)
    torch.manual_seed(0)
    generator = build_generator(config).eval()
    scale_up(generator)
    for name, dtype in (("full", torch.float32), ("half", torch.float16)):
        save_generator(tmp_path / name, generator, CheckpointHeader(config), dtype)
    ratio = (tmp_path / "full").stat().st_size / (tmp_path / "half").stat().st_size
    assert 1.95 < ratio < 2.0
    loaded, _ = load_generator(tmp_path / "half")
    assert all(weights.dtype == torch.float32 for weights in loaded.parameters())
    latents = sample_latents(range(8), 16)
    with torch.no_grad():
        found, expected = loaded(latents), generator(latents)
    assert expected.std() > 0.2  # not one grey, of which anything would be near
    assert 0 < (found - expected).abs().max() < 0.5 / 127.5


def test_the_hash_of_the_weights_sees_every_value_and_name_and_no_header(path):
    before = hash_weights(path)
    rewrite(path)
    assert hash_weights(path) == before
    header = load_header(path)
    generator, _ = load_generator(path)
    save_generator(path, generator, CheckpointHeader(header.model))
    assert hash_weights(path) == before
    rewrite(path, lambda tensors: tensors["layers.1.bias"].view(-1)[-1:].add_(1e-6))
    assert hash_weights(path) != before


@pytest.mark.parametrize("odd", [10**400, True, None, "1", [1], float("nan")])
def test_scores_that_are_no_numbers_are_passed_over(odd):
    header = CheckpointHeader(make_config(), history=[{"score": odd}, {"score": 3.0}])
    assert header.best_score == {"score": 3.0}
    assert CheckpointHeader(make_config(), history=[{"score": odd}]).best_score is None


def test_best_score_is_the_lowest(path):
    assert load_header(path).best_score == {"step": 20, "score": 30.0}
    assert CheckpointHeader(make_config()).best_score is None


def test_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*nothing\.safetensors"):
        load_generator(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("keep", [0, 7, 200, -1])
def test_truncated_file_is_refused(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[:keep])
    for load in (load_header, load_generator):
        with pytest.raises(CheckpointError, match=r"tiny\.safetensors is not a whole safetensors"):
            load(path)


def test_file_of_another_program_is_refused(path):
    save_file(load_file(path), path)
    with pytest.raises(CheckpointError, match="has no Latent Explorer header"):
        load_header(path)


def test_renamed_weights_are_refused(path):
    rewrite(path, lambda tensors: tensors.update(renamed=tensors.pop("layers.0.weight")))
    with pytest.raises(CheckpointError, match=r"missing weights layers\.0\.weight.* renamed"):
        load_generator(path)


def test_wrong_shape_is_refused_with_both_shapes(path):
    rewrite(path, lambda tensors: tensors.update({"layers.1.weight": torch.zeros(5)}))
    with pytest.raises(CheckpointError, match=r"layers\.1\.weight has shape \(5,\), expected \(8"):
        load_generator(path)


def test_wrong_type_is_refused(path):
    def change(tensors):
        tensors["layers.1.weight"] = tensors["layers.1.weight"].to(torch.int32)

    rewrite(path, change)
    with pytest.raises(CheckpointError, match=r"has type torch\.int32, expected float16"):
        load_generator(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(path, value):
    rewrite(path, lambda tensors: tensors["layers.0.weight"].view(-1)[3:4].fill_(value))
    with pytest.raises(CheckpointError, match=r"layers\.0\.weight holds values that are not"):
        load_generator(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda header: header.update(format_version=99),
            "format version 99, this program",
        ),
        (lambda header: header["model"].update(model="biggan"), "Unknown model 'biggan'"),
        (lambda header: header["model"].pop("z_dim"), "Missing model options: z_dim"),
        (lambda header: header["model"].update(depth=3), "Unknown model options: depth"),
        (lambda header: header["model"].update(width="64"), "width is '64'"),
        (lambda header: header.pop("history"), "damaged header"),
        (lambda header: header.update(history=[1]), "list of objects named history"),
        (lambda header: header.update(model=None), "damaged header"),
    ],
)
def test_damaged_headers_are_told_apart(path, change, sentence):
    def change_metadata(header):
        change(header)
        return {METADATA_KEY: json.dumps(header)}

    rewrite(path, change_metadata=change_metadata)
    for load in (load_generator, load_header):
        with pytest.raises(CheckpointError, match=sentence):
            load(path)


class LargestTensor(TorchDispatchMode):
    """Note the most numbers that any operation returned in memory."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        result = operation(*arguments, **(options or {}))
        sizes = [item.numel() for item in tree_leaves(result) if isinstance(item, torch.Tensor)
                 and item.device.type != "meta"]  # fmt: skip
        self.count = max([self.count, *sizes])
        return result


@pytest.mark.parametrize("model", MODELS)
def test_a_header_of_a_large_network_takes_no_memory(path, model):
    """A small file that describes a network of gigabytes is refused by its index."""
    config = dataclasses.replace(make_config(model), z_dim=4096, width=512, img_resolution=256)
    header = CheckpointHeader(config).to_json()
    rewrite(path, change_metadata=lambda _: {METADATA_KEY: header})
    for load in (load_generator, load_fitting_header):
        with LargestTensor() as largest, pytest.raises(CheckpointError, match="in its header"):
            load(path)
        assert largest.count < 1000


def test_a_fitting_header_is_that_of_the_file(path):
    """It is read without the weights, which loading then takes memory for."""
    assert load_fitting_header(path) == load_header(path)
    with LargestTensor() as largest:
        load_generator(path)
    assert largest.count > 1000  # it does see what is loaded


@pytest.mark.parametrize("text", ["{", 100_000 * "["])
def test_header_that_is_no_json_is_refused(path, text):
    rewrite(path, change_metadata=lambda header: {METADATA_KEY: text})
    with pytest.raises(CheckpointError, match="damaged header"):
        load_header(path)


def test_not_finite_weights_are_not_saved_and_the_old_file_stays(path):
    before = path.read_bytes()
    generator = build_generator(make_config())
    generator.layers[0].weight.data[0, 0, 0, 0] = 1e6  # finite, but not in float16
    with pytest.raises(CheckpointError, match=r"layers\.0\.weight hold .* not finite in float16"):
        save_generator(path, generator, CheckpointHeader(make_config()), torch.float16)
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["tiny.safetensors"]


def test_loading_draws_nothing_from_the_global_generator(path):
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    load_generator(path)
    assert torch.equal(torch.rand(2), expected)
