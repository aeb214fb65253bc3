"""End to end against torch-fidelity: the same weights and images give the same scores.

Every part that scores disagree over lies between a generator's floats and the number: rounding,
resizing, the network, the formulas. Nothing is cached: their cache ignores images and weights.
"""

import hashlib

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits
from torch.nn import functional
from torch.utils.data import Dataset

from training.images import to_uint8
from training.metrics.extractors import inception, load_extractor
from training.metrics.frechet import compute_frechet_distance_from_features, compute_statistics
from training.metrics.inception_score import compute_inception_score
from training.metrics.kid import compute_kid
from training.metrics.manifold import compute_recall, find_inside

torch_fidelity = pytest.importorskip("torch_fidelity")

NUM_IMAGES = 20
TOLERANCE = 1e-3


class Images(Dataset):
    """Give uint8 images (3, H, W) one by one, as torch-fidelity wants them."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


def make_floats(seed, contrast):
    """Make tinted noise in [-1, 1], fine enough for resizers to differ: (20, 3, 48, 48)."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(NUM_IMAGES, 3, 24, 24, generator=generator) * 2 - 1
    tint = torch.rand(NUM_IMAGES, 3, 1, 1, generator=generator) - 0.5
    enlarged = functional.interpolate(noise, (48, 48), mode="bicubic") * 0.6 + tint
    return enlarged.clamp(-1, 1) * contrast


def round_independently(floats):
    """Round to the nearest of 256 levels without the function under test."""
    return torch.from_numpy(np.rint((floats.numpy() + 1) * 127.5).astype(np.uint8))


@pytest.fixture(scope="module")
def floats():
    return make_floats(0, contrast=1.0), make_floats(1, contrast=0.8)


@pytest.fixture(scope="module")
def extractor(random_inception_weights):
    digest = hashlib.sha256(random_inception_weights.read_bytes()).hexdigest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "WEIGHTS_SHA256", digest)
        return load_extractor("inception", random_inception_weights)


@pytest.fixture(scope="module")
def features(floats, extractor):
    """Compute ours: of generated and of real images, both from floats."""
    return tuple(extractor(to_uint8(images)).numpy() for images in floats)


@pytest.fixture(scope="module")
def theirs(floats, random_inception_weights):
    """Compute theirs, all in one run; KID on one subset that is the whole set."""
    generated, real = (Images(round_independently(images)) for images in floats)
    # Their eigenvalues of a 2048 x 2048 product are quicker so wherever cores are shared.
    with threadpool_limits(limits=1, user_api="blas"):
        return torch_fidelity.calculate_metrics(
            input1=generated, input2=real, fid=True, kid=True, isc=True, prc=True,
            feature_extractor="inception-v3-compat",
            feature_extractor_weights_path=str(random_inception_weights),
            kid_subsets=1, kid_subset_size=NUM_IMAGES, isc_splits=2, samples_shuffle=False,
            cuda=False, save_cpu_ram=True, cache=False, verbose=False,
        )  # fmt: skip


def compute_fid_and_kid(generated, real):
    fid = compute_frechet_distance_from_features(generated, compute_statistics(real))
    return fid, compute_kid(generated, real).value


def get_fid_and_kid(theirs):
    return theirs["frechet_inception_distance"], theirs["kernel_inception_distance_mean"]


def compute_errors(found, expected):
    return [abs(ours / other - 1) for ours, other in zip(found, expected, strict=True)]


def test_fid_and_kid_are_torch_fidelitys(features, theirs):
    errors = compute_errors(compute_fid_and_kid(*features), get_fid_and_kid(theirs))
    assert max(errors) < TOLERANCE
    assert min(get_fid_and_kid(theirs)) > 1e-3  # far from what rounding could agree on


def test_truncated_pixels_give_other_scores(floats, features, theirs, extractor):
    """The generator's pixels cut off instead of rounded: the comparison fails by far."""
    truncated = floats[0].add(1).mul(127.5).to(torch.uint8)
    found = compute_fid_and_kid(extractor(truncated).numpy(), features[1])
    assert min(compute_errors(found, get_fid_and_kid(theirs))) > 5 * TOLERANCE


def test_another_resizer_gives_other_scores(floats, theirs, extractor, monkeypatch):
    """PyTorch's bilinear with half-pixel centres, on both sides: the comparison fails by far."""
    from torch_fidelity import feature_extractor_inceptionv3 as network

    monkeypatch.setattr(
        network, "interpolate_bilinear_2d_like_tensorflow1x",
        lambda images, size, align_corners: functional.interpolate(images, size, mode="bilinear"),
    )  # fmt: skip
    found = compute_fid_and_kid(*(extractor(to_uint8(images)).numpy() for images in floats))
    assert min(compute_errors(found, get_fid_and_kid(theirs))) > 5 * TOLERANCE


def test_the_inception_score_is_torch_fidelitys(features, theirs, extractor):
    """Theirs is taken from the layer `logits_unbiased`; ours from the pooled features."""
    found = compute_inception_score(extractor.compute_logits(features[0]), num_splits=2)
    assert extractor.head.score_name == "Inception Score"
    assert found.value == pytest.approx(theirs["inception_score_mean"], rel=1e-4)
    assert found.deviation == pytest.approx(theirs["inception_score_std"], rel=1e-2)
    assert theirs["inception_score_mean"] > 1.01


def test_logits_are_torch_fidelitys(floats, extractor, features, random_inception_weights):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    network = FeatureExtractorInceptionV3(
        "theirs", ["2048", "logits_unbiased"], str(random_inception_weights)
    )
    pooled, logits = network(round_independently(floats[0][:4]))
    assert logits.shape == (4, 1008)
    torch.testing.assert_close(torch.from_numpy(features[0][:4]), pooled, rtol=1e-4, atol=1e-5)
    found = torch.from_numpy(extractor.compute_logits(features[0][:4]))
    torch.testing.assert_close(found, logits, rtol=1e-3, atol=1e-4)


def test_precision_and_recall_are_torch_fidelitys(features, theirs):
    found = find_inside(*features).mean(), compute_recall(*features)
    assert found == pytest.approx((theirs["precision"], theirs["recall"]))
