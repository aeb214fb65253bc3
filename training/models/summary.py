"""Layer tables: what a network is made of and where its parameters are."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.models import ModelConfig, build_discriminator, build_generator


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


def summarize_layers(module: nn.Module, sample_input: Tensor) -> list[LayerRow]:
    """List the leaf layers in the order they run on ``sample_input`` (a batch of any size)."""
    rows: list[LayerRow] = []
    hooks = [
        leaf.register_forward_hook(_build_recorder(name, rows))
        for name, leaf in module.named_modules()
        if not list(leaf.children())
    ]
    was_training = module.training
    try:
        with torch.inference_mode():
            module.eval()(sample_input)
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
    return {
        "generator": summarize_layers(generator, torch.zeros(1, config.z_dim)),
        "discriminator": summarize_layers(discriminator, images),
    }


def _build_recorder(name: str, rows: list[LayerRow]):  # type: ignore[no-untyped-def]
    def record(leaf: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        shape = tuple(output.shape[1:])
        rows.append(LayerRow(name, type(leaf).__name__, shape, count_parameters(leaf)))

    return record
