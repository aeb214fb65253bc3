"""The Inception network of 2015, whose features alone make a score that may be called FID.

Network and resizing are torch-fidelity's, which reproduce the original TensorFlow graph. The
weights are read here, after their SHA-256 has been checked, since torch-fidelity would unpickle
whatever it finds.
"""

import hashlib
import io
from pathlib import Path

import torch
from torch import Tensor, nn

from training.errors import MetricError
from training.files import write_atomically
from training.metrics.extractors.base import (
    Extractor,
    ExtractorSpec,
    LinearHead,
    load_state_dict_file,
)

KEY = "inception"
SCORE_NAME = "FID"
INCEPTION_SCORE_NAME = "Inception Score"
DIM = 2048
WEIGHTS_NAME = "weights-inception-2015-12-05-6726825d.pth"
WEIGHTS_URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{WEIGHTS_NAME}"
WEIGHTS_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class InceptionFeatures(nn.Module):
    """Compute the 2048 pooled features of uint8 images (B, 3, H, W) with given Inception weights.

    Images are resized to 299 pixels as TensorFlow 1 did it, bilinear without antialiasing, and
    everything is in float32: that is the standard protocol. NVIDIA GPUs from Ampere on multiply in
    TF32 inside convolutions, PyTorch's default; see `tune_device`.
    """

    def __init__(self, state_dict: dict[str, Tensor]) -> None:
        super().__init__()
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError as error:
            raise MetricError(
                f"Extractor {KEY}: the package torch-fidelity is not installed; run"
                " `pip install torch-fidelity`, or use the extractor efficientnet-lite0."
            ) from error
        # The constructor insists on unpickling something, so it gets our own checked tensors.
        buffer = io.BytesIO()
        torch.save(state_dict, buffer)
        buffer.seek(0)
        with torch.random.fork_rng(devices=[]):
            self.network = FeatureExtractorInceptionV3(
                "inception", ["2048"], feature_extractor_weights_path=buffer
            )

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 (B, 3, H, W) to float32 (B, 2048)."""
        features: Tensor = self.network(images)[0]
        return features


def load_inception(weights: Path | None, device: torch.device) -> Extractor:
    """Load the extractor from `weights`, PyTorch's hub cache, or a download, checked in each case.

    Raises MetricError if the weights are absent and cannot be downloaded, or are other ones.
    """
    path = weights or find_cached_weights() or download_weights()
    check_weights(path)
    state_dict = load_state_dict_file(path, KEY)
    network = InceptionFeatures(state_dict).eval().to(device)
    # Without the bias: the Inception Score's original code multiplies the pooled features by the
    # graph's weights only. torch-fidelity calls these `logits_unbiased`.
    head = LinearHead(INCEPTION_SCORE_NAME, state_dict["fc.weight"].numpy())
    return Extractor(KEY, SCORE_NAME, DIM, network, device, head)


def find_cached_weights() -> Path | None:
    """Find the weights where torch-fidelity (or pytorch-fid: the same bytes) keeps them."""
    names = (WEIGHTS_NAME, WEIGHTS_NAME.replace("weights-", "pt_"))
    paths = (_get_hub_folder() / name for name in names)
    return next((path for path in paths if path.is_file()), None)


def check_weights(path: Path) -> None:
    """Raise MetricError unless the file has the SHA-256 of the 2015 weights."""
    if not path.is_file():
        raise MetricError(
            f"Extractor {KEY}: there is no weights file at {path}; expected {WEIGHTS_NAME} from"
            f" {WEIGHTS_URL}."
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise MetricError(
            f"Extractor {KEY}: {path} has SHA-256 {found[:8]}..., expected {WEIGHTS_SHA256[:8]}...;"
            f" it is not loaded, and no other weights give FID. Fetch it again from {WEIGHTS_URL}."
        )


def download_weights() -> Path:
    """Download the weights (91 MiB) into PyTorch's hub cache and return their path."""
    path = _get_hub_folder() / WEIGHTS_NAME
    try:
        write_atomically(path, _download_checked)
    except OSError as error:  # urllib's errors are OSErrors too
        raise MetricError(
            f"Extractor {KEY}: its weights are not at {path} and cannot be downloaded ({error});"
            f" put {WEIGHTS_NAME} there by hand (from {WEIGHTS_URL}), or use the extractor"
            " efficientnet-lite0, which needs no download."
        ) from error
    return path


def _download_checked(path: Path) -> None:
    torch.hub.download_url_to_file(WEIGHTS_URL, str(path))
    check_weights(path)


def _get_hub_folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


INCEPTION = ExtractorSpec(KEY, SCORE_NAME, DIM, load_inception, has_fixed_weights=True)
