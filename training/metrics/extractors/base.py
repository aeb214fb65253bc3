"""What every feature extractor has in common."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.errors import MetricError

# Images per pass through the network. On a CPU few: what a layer leaves of them is still in the
# processor's cache for the next, and a pass takes half of the time per image of one of 64.
IMAGES_PER_PASS = {"cpu": 4}
MAX_IMAGES_PER_PASS = 64


@dataclass(frozen=True)
class ExtractorSpec:
    """Describe an extractor before its network is loaded."""

    key: str
    score_name: str
    """What a Frechet distance between its features may be called."""
    dim: int
    load: Callable[[Path | None, torch.device], "Extractor"]
    has_fixed_weights: bool = False
    """Whether a file given by the user can only hold the usual weights, as its hash is checked."""
    usual_weights_sha256: str = ""


@dataclass(frozen=True, eq=False)
class LinearHead:
    """Turn features into class logits: the classifier that the network was trained with.

    `weight` (C, d) and `bias` (C,), or None for none. `score_name` is what an Inception Score of
    these logits may be called.
    """

    score_name: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None = None

    def compute_logits(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Compute the logits (N, C) of features (N, d)."""
        logits = features.astype(np.float32, copy=False) @ self.weight.T
        return logits if self.bias is None else logits + self.bias


@dataclass(frozen=True, eq=False)
class Extractor:
    """Turn uint8 images (B, C, H, W), C 1 or 3, into float32 features (B, dim) on the CPU."""

    key: str
    score_name: str
    dim: int
    network: nn.Module
    """Maps uint8 (B, 3, H, W) on `device` to float features (B, dim)."""
    device: torch.device
    head: LinearHead | None = None
    """The classifier behind the features, where the network has one."""
    weights: str | None = None
    """What `identify_weights` says of its weights: None if they are the usual ones."""

    def compute_logits(self, features: NDArray[np.floating]) -> NDArray[np.float32] | None:
        """Compute the class logits (N, C) of features (N, dim); None without a classifier."""
        return None if self.head is None else self.head.compute_logits(features)

    def __call__(self, images: Tensor) -> Tensor:
        """Compute the features of the images; raises MetricError on anything but such images."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise MetricError(
                f"Extractor {self.key}: found images of shape {tuple(images.shape)} and type"
                f" {images.dtype}, expected (B, 1 or 3, H, W) of torch.uint8; convert them with"
                " training.images.to_uint8."
            )
        pass_size = IMAGES_PER_PASS.get(self.device.type, MAX_IMAGES_PER_PASS)
        with torch.inference_mode():
            passes = [
                self.network(part.to(self.device).expand(-1, 3, -1, -1)).float().cpu()
                for part in images.split(pass_size)
            ]
        return torch.cat(passes)  # (B, dim)


def load_state_dict_file(path: Path, key: str) -> dict[str, Tensor]:
    """Read the tensors of a .pth file, running no code from it; MetricError if it is damaged."""
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise MetricError(
            f"Extractor {key}: there is no weights file at {path}; check the path, or leave it out"
            " to use the usual places."
        ) from error
    except Exception as error:  # torch.load raises whatever the unpickler and the zip reader do
        raise MetricError(
            f"Extractor {key}: the weights file {path} cannot be read"
            f" ({type(error).__name__}); expected a PyTorch state dict. Fetch it again."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise MetricError(
            f"Extractor {key}: the weights file {path} holds no state dict of tensors; expected the"
            " published weights. Fetch them again."
        )
    return state
