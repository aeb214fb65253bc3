"""The network of EfficientNet-Lite0 (Tan and Le 2019), with the names that timm gives its parts.

timm has the same one, but importing it imports torchvision's models and with them PyTorch's
compiler: seconds and much memory that somebody who waits for a first score has no use for.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

NUM_CLASSES = 1000
NUM_STEM_CHANNELS, NUM_FEATURES = 32, 1280
NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class StageSpec:
    """Describe a stage: how many blocks it has, and their convolution; the first one strides."""

    num_blocks: int
    kernel_size: int
    stride: int
    num_channels: int


FIRST_STAGE = StageSpec(1, 3, 1, 16)  # its block does not expand
STAGES = (
    StageSpec(2, 3, 2, 24),
    StageSpec(2, 5, 2, 40),
    StageSpec(3, 3, 2, 80),
    StageSpec(3, 5, 1, 112),
    StageSpec(4, 5, 2, 192),
    StageSpec(1, 3, 1, 320),
)
EXPANSION = 6


class SamePaddedConv2d(nn.Conv2d):
    """Convolve with TensorFlow's "same" padding: where it is odd, right and bottom get more."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H / stride, W / stride), rounded up."""
        (top, bottom), (left, right) = (
            split_padding(size, kernel, stride)
            for size, kernel, stride in zip(
                maps.shape[2:], self.kernel_size, self.stride, strict=True
            )
        )
        return super().forward(functional.pad(maps, (left, right, top, bottom)))


def split_padding(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    """Return how many zeros go before and behind an axis of ``size`` pixels."""
    num_steps = (size - 1) // stride
    total = max(0, num_steps * stride + kernel_size - size)
    return total // 2, total - total // 2


def build_conv(
    in_channels: int, out_channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Build a convolution without bias, padded so that only the stride makes maps smaller."""
    if stride == 1:
        padding = kernel_size // 2
        return nn.Conv2d(
            in_channels, out_channels, kernel_size, padding=padding, groups=groups, bias=False
        )
    return SamePaddedConv2d(
        in_channels, out_channels, kernel_size, stride, groups=groups, bias=False
    )


def build_norm(num_channels: int) -> nn.BatchNorm2d:
    """Build a batch norm with TensorFlow's epsilon."""
    return nn.BatchNorm2d(num_channels, eps=NORM_EPSILON)


class DepthwiseSeparableBlock(nn.Module):
    """Convolve each channel by itself, then mix the channels."""

    def __init__(self, in_channels: int, stage: StageSpec) -> None:
        super().__init__()
        self.conv_dw = build_conv(
            in_channels, in_channels, stage.kernel_size, stage.stride, groups=in_channels
        )
        self.bn1 = build_norm(in_channels)
        self.conv_pw = build_conv(in_channels, stage.num_channels)
        self.bn2 = build_norm(stage.num_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H / stride, W / stride)."""
        maps = functional.relu6(self.bn1(self.conv_dw(maps)), inplace=True)
        mixed: Tensor = self.bn2(self.conv_pw(maps))
        return mixed


class InvertedResidualBlock(nn.Module):
    """Expand the channels, convolve each by itself, mix them, and add the input where it fits."""

    def __init__(self, in_channels: int, stage: StageSpec, stride: int) -> None:
        super().__init__()
        width = EXPANSION * in_channels
        self.conv_pw = build_conv(in_channels, width)
        self.bn1 = build_norm(width)
        self.conv_dw = build_conv(width, width, stage.kernel_size, stride, groups=width)
        self.bn2 = build_norm(width)
        self.conv_pwl = build_conv(width, stage.num_channels)
        self.bn3 = build_norm(stage.num_channels)
        self.has_shortcut = stride == 1 and in_channels == stage.num_channels

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H / stride, W / stride)."""
        wide = functional.relu6(self.bn1(self.conv_pw(maps)), inplace=True)
        wide = functional.relu6(self.bn2(self.conv_dw(wide)), inplace=True)
        mixed: Tensor = self.bn3(self.conv_pwl(wide))
        return mixed + maps if self.has_shortcut else mixed


class EfficientNetLite0(nn.Module):
    """Compute feature maps, and ImageNet's classes from them once they are averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = build_conv(3, NUM_STEM_CHANNELS, kernel_size=3, stride=2)
        self.bn1 = build_norm(NUM_STEM_CHANNELS)
        self.blocks = build_blocks()
        self.conv_head = build_conv(STAGES[-1].num_channels, NUM_FEATURES)
        self.bn2 = build_norm(NUM_FEATURES)
        self.classifier = nn.Linear(NUM_FEATURES, NUM_CLASSES)

    def forward_features(self, pixels: Tensor) -> Tensor:
        """Map float (B, 3, H, W) in [-1, 1] to feature maps (B, 1280, H / 32, W / 32)."""
        maps = functional.relu6(self.bn1(self.conv_stem(pixels)), inplace=True)
        maps = self.blocks(maps)
        return functional.relu6(self.bn2(self.conv_head(maps)), inplace=True)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map float (B, 3, H, W) in [-1, 1] to class logits (B, 1000)."""
        logits: Tensor = self.classifier(self.forward_features(pixels).mean(dim=(2, 3)))
        return logits


def build_blocks() -> nn.Sequential:
    """Build the stages, each a sequence of blocks."""
    stages = [nn.Sequential(DepthwiseSeparableBlock(NUM_STEM_CHANNELS, FIRST_STAGE))]
    num_channels = FIRST_STAGE.num_channels
    for stage in STAGES:
        blocks = []
        for index in range(stage.num_blocks):
            stride = stage.stride if index == 0 else 1
            blocks.append(InvertedResidualBlock(num_channels, stage, stride))
            num_channels = stage.num_channels
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(*stages)
