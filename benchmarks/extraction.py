"""Time feature extraction, the largest part of a score, and show what shortcuts would cost.

The default extractor against timm's plain float32 forward pass of the same network, on the same
images in turns; and against itself in bfloat16, which is only worth it where the score moves by
less than half a percent: both rate and shift are shown. Images per second of all cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.measurement import Context, Measurement, time_runs
from benchmarks.sampling import open_sampler

if TYPE_CHECKING:
    import torch

    from training.metrics.extractors import Extractor

BATCH_SIZE = 32
NUM_SCORED = 1024


def run_extraction(context: Context) -> Iterator[Measurement]:
    """Measure images per second of three ways, and how far bfloat16 moves the score."""
    from training.devices import has_fast_bfloat16, select_device
    from training.metrics.extractors import load_extractor

    device = select_device(context.device)
    extractor = load_extractor("efficientnet-lite0", device=device)
    images = make_images(context, BATCH_SIZE)
    ways: dict[str, Callable[[torch.Tensor], object]] = {
        "ours, float32, channels_last, folded": extractor,
        "timm, float32": build_plain_forward(device),
    }
    if has_fast_bfloat16(device):
        ways["ours in bfloat16 (not used)"] = run_in_bfloat16(extractor)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(context.choose_runs(7, 2)):
        for name, way in ways.items():
            seconds[name] += time_runs(partial(run_again, way, images), 1)
    for name, values in seconds.items():
        rates = tuple(BATCH_SIZE / value for value in values)
        yield Measurement(f"features, batch {BATCH_SIZE}, {name}", "images/s", rates)
    if has_fast_bfloat16(device):
        yield from measure_shift(context, extractor)


def run_again(extract: Callable[[torch.Tensor], object], images: torch.Tensor, _: int) -> None:
    """Extract the features of the same images, whatever the number of the call."""
    extract(images)


def make_images(context: Context, count: int) -> torch.Tensor:
    """Make samples (count, C, H, W) of the model that the app shows first."""
    import torch

    with open_sampler(context) as (sampler, model):
        images = sampler.sample_seeds(model, range(count))
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def build_plain_forward(device: torch.device) -> Callable[[torch.Tensor], object]:
    """Build timm's own forward pass to pooled features, after the same resize."""
    import timm
    import torch

    from training.metrics.extractors.efficientnet_lite0 import INPUT_SIZE, build_trunk

    trunk = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    trunk.load_state_dict(build_trunk().state_dict())
    trunk.eval().to(device)

    def forward(images: torch.Tensor) -> object:
        with torch.inference_mode():
            pixels = torch.nn.functional.interpolate(
                images.to(device).float(), (INPUT_SIZE, INPUT_SIZE), mode="bilinear"
            )
            pixels = pixels.div(127.5).sub(1)
            return trunk.forward_head(trunk.forward_features(pixels), pre_logits=True).cpu()  # type: ignore[operator]

    return forward


def run_in_bfloat16(extractor: Extractor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the extractor under autocast."""
    import torch

    def extract(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(extractor.device.type, torch.bfloat16):
            return extractor(images)

    return extract


def measure_shift(context: Context, extractor: Extractor) -> Iterator[Measurement]:
    """Measure by how many percent bfloat16 features move the score of the first model."""
    from training.metrics.frechet import compute_frechet_distance_from_features

    with open_sampler(context) as (sampler, model):
        entry = sampler.library.get(model)
        reference = sampler.library.find_reference(entry, extractor.key)
    if reference is None:
        return  # an untrained generator has no data to be scored against
    images = make_images(context, context.choose_runs(NUM_SCORED, 64))
    scores = [
        compute_frechet_distance_from_features(extract(images).numpy(), reference.statistics)
        for extract in (extractor, run_in_bfloat16(extractor))
    ]
    shift = 100 * abs(scores[1] / scores[0] - 1)
    yield Measurement(f"bfloat16 moves the score of {len(images):,} samples by", "%", (shift,))
