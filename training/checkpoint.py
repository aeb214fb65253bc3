"""Generator checkpoints: one safetensors file that describes itself and runs no code."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor, nn

from training.errors import CheckpointError, ConfigError
from training.files import write_bytes
from training.models import ModelConfig, build_generator, check_model_config
from training.models.outline import build_outlines
from training.numbers import read_number

FORMAT_VERSION = 1
METADATA_KEY = "latent_explorer"
SUFFIX = ".safetensors"
FLOAT_DTYPES = (torch.float16, torch.bfloat16, torch.float32)


@dataclass(frozen=True)
class CheckpointHeader:
    """Describe a trained generator: model, data set, training facts, score history."""

    model: ModelConfig
    dataset: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    format_version: int = FORMAT_VERSION

    @property
    def best_score(self) -> dict[str, Any] | None:
        """Return the history row with the lowest score, None if nothing was scored."""
        scored = [row for row in self.history if read_number(row.get("score")) is not None]
        return min(scored, key=lambda row: float(row["score"]), default=None)

    def to_json(self) -> str:
        """Return the header as JSON text."""
        return json.dumps(
            {
                "format_version": self.format_version,
                "model": self.model.to_dict(),
                "dataset": self.dataset,
                "training": self.training,
                "history": self.history,
            }
        )


def save_generator(
    path: Path,
    generator: nn.Module,
    header: CheckpointHeader,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a generator's weights and header to one file, whole or not at all.

    Weights are stored in ``dtype`` (float16 halves the file); integer buffers stay as they are.
    Raises CheckpointError if a weight is not finite in that type.
    """
    tensors = {}
    for name, tensor in generator.state_dict().items():
        stored = tensor.detach().cpu().contiguous()
        stored = stored.to(dtype) if stored.is_floating_point() else stored
        if not torch.isfinite(stored).all():
            raise CheckpointError(
                f"Not saving {path.name}: the weights {name} hold values that are not finite in "
                f"{str(dtype).removeprefix('torch.')}; keep the last good checkpoint."
            )
        tensors[name] = stored
    # Not save_file: it hides a full disk behind an error of its own and makes files private.
    write_bytes(path, serialize(tensors, {METADATA_KEY: header.to_json()}))


def load_header(path: Path) -> CheckpointHeader:
    """Read a checkpoint's header without its weights; raises CheckpointError that says why not."""
    with _open_safetensors(path) as file:
        return _parse_header(path, (file.metadata() or {}).get(METADATA_KEY))


def load_fitting_header(path: Path) -> CheckpointHeader:
    """Read the header of a checkpoint whose weights have its names and shapes, unread.

    Raises CheckpointError as `load_generator` does. Where it does not, a network of the header is
    no larger than the file.
    """
    with _open_safetensors(path) as file:
        return _read_fitting_header(path, file)


def load_generator(
    path: Path, device: torch.device | str = "cpu"
) -> tuple[nn.Module, CheckpointHeader]:
    """Load a generator in eval mode and float32, and its header.

    Names, shapes, types and finiteness are checked against the network the header describes;
    any difference raises CheckpointError with what was found and what was expected.
    """
    with _open_safetensors(path) as file:
        header = _read_fitting_header(path, file)
        with torch.random.fork_rng(devices=[]):
            generator = build_generator(header.model)
        state = {
            name: _check_values(path, name, file.get_tensor(name), tensor)
            for name, tensor in generator.state_dict().items()
        }
    generator.load_state_dict(state)
    return generator.eval().requires_grad_(False).to(device), header


def hash_weights(path: Path) -> str:
    """Hash names, types, shapes and values of a checkpoint's weights: BLAKE2b, 32 hex digits.

    The header does not count: a score that is added to the history leaves the images as they are.
    """
    digest = hashlib.blake2b(digest_size=16)
    with _open_safetensors(path) as file:
        for name in sorted(file.keys()):
            tensor: Tensor = file.get_tensor(name)
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _read_fitting_header(path: Path, file: Any) -> CheckpointHeader:
    """Read the header and check names and shapes in the file's index, before memory is taken."""
    header = _parse_header(path, (file.metadata() or {}).get(METADATA_KEY))
    # A few bytes of header can describe gigabytes of network.
    with _explain_unknown_model(path), build_outlines():
        expected = build_generator(header.model).state_dict()
    _check_names(path, set(file.keys()), set(expected))
    for name, tensor in expected.items():
        _check_shape(path, name, tuple(file.get_slice(name).get_shape()), tuple(tensor.shape))
    return header


def _open_safetensors(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint at {path}: check the path or train a model.")
    try:
        return safe_open(path, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path.name} is not a whole safetensors file ({error}): it is truncated or of another "
            "kind; copy or download it again."
        ) from error


def _parse_header(path: Path, text: str | None) -> CheckpointHeader:
    if text is None:
        raise CheckpointError(
            f"{path.name} has no Latent Explorer header: it was made by another program; "
            "train with `python -m training train` to get a file the app can read."
        )
    try:
        values = json.loads(text)
        version = values["format_version"]
        if version != FORMAT_VERSION:
            raise CheckpointError(
                f"{path.name} has format version {version!r}, this program reads {FORMAT_VERSION}: "
                "update the program or export the file again."
            )
        model = ModelConfig.from_dict(values["model"])
        dataset, training, history = values["dataset"], values["training"], values["history"]
    except (ValueError, KeyError, TypeError, RecursionError, ConfigError) as error:
        raise CheckpointError(
            f"{path.name} has a damaged header ({type(error).__name__}: {error}): expected the "
            "JSON text that `python -m training train` writes; copy the file again."
        ) from error
    if not (
        isinstance(dataset, dict)
        and isinstance(training, dict)
        and isinstance(history, list)
        and all(isinstance(row, dict) for row in history)
    ):
        raise CheckpointError(
            f"{path.name} has a damaged header: expected objects named dataset and training and a "
            "list of objects named history; copy the file again."
        )
    with _explain_unknown_model(path):
        check_model_config(model)
    return CheckpointHeader(model, dataset, training, history, version)


@contextmanager
def _explain_unknown_model(path: Path) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise CheckpointError(
            f"{path.name} describes a model this version lacks: {error}"
        ) from error


def _check_names(path: Path, found: set[str], expected: set[str]) -> None:
    if found != expected:
        missing, unknown = sorted(expected - found), sorted(found - expected)
        raise CheckpointError(
            f"{path.name} does not fit the model in its header: missing weights "
            f"{_format_names(missing)}, unknown weights {_format_names(unknown)}; export it again."
        )


def _format_names(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return shown or "none"


def _check_shape(path: Path, name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise CheckpointError(
            f"{path.name}: {name} has shape {found}, expected {expected} for the model in its "
            "header; export it again."
        )


def _check_values(path: Path, name: str, found: Tensor, expected: Tensor) -> Tensor:
    if found.is_floating_point() != expected.is_floating_point() or (
        found.is_floating_point() and found.dtype not in FLOAT_DTYPES
    ):
        raise CheckpointError(
            f"{path.name}: {name} has type {found.dtype}, expected "
            f"{'float16, bfloat16 or float32' if expected.is_floating_point() else expected.dtype}."
        )
    if not torch.isfinite(found).all():
        raise CheckpointError(
            f"{path.name}: {name} holds values that are not finite (NaN or infinity), expected "
            "finite weights; use an earlier checkpoint."
        )
    return found.to(expected.dtype)
