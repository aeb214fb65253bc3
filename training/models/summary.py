"""Layer tables: what a network is made of and where its parameters are."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from training.models import ModelConfig, build_discriminator, build_generator
from training.models.outline import build_outlines


@dataclass(frozen=True)
class LayerRow:
    """Hold one line of a layer table; the shape leaves out the batch."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    num_parameters: int


def count_parameters(module: nn.Module) -> int:
    """Count the learnable numbers of a network."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_model_parameters(config: ModelConfig) -> int:
    """Count the learnable numbers of both networks of a configuration, without their memory."""
    if config.critic_norm == "spectral":  # as many, and to set it up PyTorch imports its compiler
        config = replace(config, critic_norm="none")
    with build_outlines():
        networks = build_generator(config), build_discriminator(config)
    return sum(map(count_parameters, networks))


def summarize_layers(module: nn.Module, *sample_inputs: Tensor) -> list[LayerRow]:
    """List the layers in the order they first run on ``sample_inputs`` (a batch of any size).

    A layer has no parts, or parameters of its own; its parts are not listed then.
    """
    rows: list[LayerRow] = []
    hooks = [
        layer.register_forward_hook(_build_recorder(name, rows))
        for name, layer in _iter_layers(module, "")
    ]
    was_training = module.training
    try:
        with torch.inference_mode():
            module.eval()(*sample_inputs)
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    return rows


def summarize_model(config: ModelConfig) -> dict[str, list[LayerRow]]:
    """List the layers of both networks of a configuration, keyed "generator", "discriminator"."""
    images = torch.zeros(1, config.img_channels, config.img_resolution, config.img_resolution)
    with torch.random.fork_rng(devices=[]):
        generator, discriminator = build_generator(config), build_discriminator(config)
    z, rows = torch.zeros(1, config.z_dim), config.labels.draw([0])
    has_labels = len(config.labels) > 0
    return {
        "generator": summarize_layers(generator, *((z, rows) if has_labels else (z,))),
        "discriminator": summarize_layers(
            discriminator, *((images, rows, images) if has_labels else (images,))
        ),
    }


def _iter_layers(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    parts = list(module.named_children())
    if not parts or next(module.parameters(recurse=False), None) is not None:
        yield name, module
        return
    for part_name, part in parts:
        yield from _iter_layers(part, f"{name}.{part_name}" if name else part_name)


def _build_recorder(name: str, rows: list[LayerRow]):  # type: ignore[no-untyped-def]
    def record(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if any(row.name == name for row in rows):
            return
        # A normalised weight makes torch rename its layer's class.
        kind = type(layer).__name__.removeprefix("Parametrized")
        rows.append(LayerRow(name, kind, tuple(output.shape[1:]), count_parameters(layer)))

    return record
