"""How much memory a training will need, and what to say where there is not as much.

Layers' outputs are kept from the forward pass for the backward pass: those of the generator and, of
real and generated images, those of the discriminator. The gradient penalty, whose backward pass
goes through a backward pass, keeps several times as much of a third pass. The figures below are
the growth of a process over two steps, measured at widths 32 and 64 and 64 and 128 pixels on a CPU;
they hold to about a fifth.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch

from training.config import TrainConfig
from training.errors import TrainingError
from training.free_memory import advise_out_of_memory, read_free_bytes
from training.models import ModelConfig, build_discriminator, build_generator
from training.models.config import ATTENTION_RESOLUTION
from training.models.summary import LayerRow, count_parameters, summarize_model
from training.step import AdversarialStep

BYTES_PER_FLOAT = 4
# Bytes of one output of a layer, in float32 and under bfloat16 autocast; and in the penalty, which
# keeps more of a batch norm than of other critics.
BYTES_PER_OUTPUT = (4.3, 2.3)
BYTES_PER_PENALTY_OUTPUT, BYTES_PER_BATCH_NORM_PENALTY_OUTPUT = (6.0, 3.4), (10.5, 8.5)
MIN_PART = 2
GIB = 2**30
SMALLER_NETWORKS = "choose a smaller --width or --resolution"


@dataclass(frozen=True)
class Footprint:
    """Hold the bytes of weights, and of layers' outputs for each image that is computed at once.

    Beside the weights themselves there are gradients, Adam's two moments and the average.
    """

    weights: int
    per_image: int

    def compute_bytes(self, batch_size: int) -> int:
        """Return the bytes for a part of a batch of that many images."""
        return self.weights + batch_size * self.per_image


def estimate_footprint(engine: AdversarialStep) -> Footprint:
    """Estimate what a training needs beside its images and the program itself."""
    num_g, num_d = count_parameters(engine.generator), count_parameters(engine.discriminator)
    return Footprint(
        count_weight_bytes(num_g, num_d),
        estimate_bytes_per_image(engine.model, engine.config, engine.has_autocast),
    )


def count_weight_bytes(num_g: int, num_d: int) -> int:
    """Count the bytes of both networks' weights, gradients and moments, and of the average."""
    return BYTES_PER_FLOAT * (4 * (num_g + num_d) + num_g)


def estimate_bytes_per_image(model: ModelConfig, config: TrainConfig, is_narrow: bool) -> int:
    """Estimate the bytes of layers' outputs that are kept for one image; narrow is bfloat16."""
    layers = summarize_model(model)
    maps = count_attention(model)
    outputs_g = _count_outputs(layers["generator"]) + maps
    outputs_d = _count_outputs(layers["discriminator"]) + maps
    size = BYTES_PER_OUTPUT[is_narrow]
    has_batch_norm = model.critic_norm == "batch"
    sizes = BYTES_PER_BATCH_NORM_PENALTY_OUTPUT if has_batch_norm else BYTES_PER_PENALTY_OUTPUT
    penalty = sizes[is_narrow] * outputs_d if config.gp_weight else 0.0
    return round(size * (outputs_g + 2 * outputs_d) + penalty)


def compute_part_size(config: TrainConfig, num_processes: int) -> int:
    """Return how many images of a batch a process computes at once."""
    return config.batch_size // (config.grad_accum * num_processes)


def count_attention(model: ModelConfig) -> int:
    """Count the entries of an image's attention map: each place looks at a quarter of them."""
    num_places = ATTENTION_RESOLUTION**2
    return num_places * num_places // 4 if model.has_self_attention else 0


def measure_need(engine: AdversarialStep, device: torch.device, num_processes: int = 1) -> int:
    """Return the bytes that a training needs of its device, of one that processes share in all."""
    part = compute_part_size(engine.config, num_processes)
    with advise_out_of_memory("the networks", f"{SMALLER_NETWORKS}."):  # it builds them once more
        found = estimate_footprint(engine)
    return _count_sharing(device, num_processes) * found.compute_bytes(part)


def check_networks(model: ModelConfig, device: torch.device, num_processes: int = 1) -> None:
    """Raise TrainingError, before networks are built, if memory is too small for them alone."""
    free = read_free_bytes(device)
    if free is None:
        return
    with torch.device("meta"):  # shapes without numbers
        networks = build_generator(model), build_discriminator(model)
    needed = count_weight_bytes(*map(count_parameters, networks))
    needed *= _count_sharing(device, num_processes)
    if needed > free:
        raise TrainingError(
            f"Networks of width {model.width} need about {needed / GIB:.1f} GiB of memory, and "
            f"{free / GIB:.1f} GiB are free: {SMALLER_NETWORKS}."
        )


def check_memory(
    engine: AdversarialStep,
    device: torch.device,
    num_processes: int = 1,
    is_resumed: bool = False,
) -> None:
    """Raise TrainingError, with a batch size that fits, if memory will surely be too small.

    Where the system does not tell how much is free, nothing is checked. A run that is resumed keeps
    its batch size.
    """
    free, needed = read_free_bytes(device), measure_need(engine, device, num_processes)
    sharing = _count_sharing(device, num_processes)
    if free is None:
        return
    free += sharing * count_held_bytes(engine)  # is needed, and there already
    if needed <= free:
        return
    config, found = engine.config, estimate_footprint(engine)
    fitting = part = compute_part_size(config, num_processes)
    while fitting > 1 and sharing * found.compute_bytes(fitting) > free:
        fitting //= 2
    raise TrainingError(
        f"A batch of {config.batch_size} images needs about {needed / GIB:.1f} GiB of memory, and "
        f"can have {free / GIB:.1f} GiB: "
        + (
            "end other programs, or go on with the run where there is more memory."
            if is_resumed
            else suggest(config, part, fitting)
        )
    )


def count_held_bytes(engine: AdversarialStep) -> int:
    """Count the bytes that networks and optimisers hold by now: less before the first step."""
    networks = (engine.generator, engine.discriminator, engine.generator_ema)
    held = [tensor for network in networks for tensor in network.state_dict().values()]
    for network in networks:
        held += [weight.grad for weight in network.parameters() if weight.grad is not None]
    for optimizer in (engine.optimizer_g.optimizer, engine.optimizer_d.optimizer):
        values = [value for state in optimizer.state.values() for value in state.values()]
        held += [value for value in values if isinstance(value, torch.Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in held)


@contextlib.contextmanager
def explain_out_of_memory(config: TrainConfig, num_processes: int = 1) -> Iterator[None]:
    """Turn a failed allocation into a TrainingError that names a smaller batch."""
    part = compute_part_size(config, num_processes)
    advice = suggest(config, part, part // 2)
    with advise_out_of_memory(f"a batch of {config.batch_size} images", advice):
        yield


def suggest(config: TrainConfig, part: int, fitting: int) -> str:
    """Say what to do where parts of ``part`` images do not fit, and those of ``fitting`` may."""
    if fitting < MIN_PART:
        return f"{SMALLER_NETWORKS}; a smaller batch will not do."
    factor = -(-part // fitting)
    batch_size = config.batch_size // factor
    num_parts = config.grad_accum * factor
    accumulation = (
        f", or keep the batch and compute it in parts with --grad-accum {num_parts}"
        if config.batch_size % num_parts == 0
        else ""
    )
    return f"start with --batch-size {batch_size}{accumulation}."


def _count_sharing(device: torch.device, num_processes: int) -> int:
    """Count the processes whose needs add up: each GPU has one, the processor has them all."""
    return num_processes if device.type == "cpu" else 1


def _count_outputs(rows: list[LayerRow]) -> int:
    return sum(prod(row.output_shape) for row in rows)
