"""Make the animations of the README: python -m docs.make_morph MODEL:SEEDS[/LABEL] [...].

Side by side every model walks a closed loop: through its seeds (faces:2,6,9), or at one seed
through all values of a label (faces:3/age). Each takes the whole time for its loop and lingers at
its stops.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from explorer.animation import resize_frames, save_animation
from explorer.labels import sweep_rows
from explorer.latents import parse_seeds
from explorer.library import CheckpointLibrary
from explorer.paths import follow_path
from explorer.sampler import Sampler

ROOT = Path(__file__).resolve().parent.parent
GAP = 4  # pixels between the models
LINGER = 0.3  # of the way from stop to stop, the share of time spent at rest


def main() -> None:
    """Write one GIF in which every model walks its loop."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("loops", nargs="+", metavar="MODEL:SEEDS[/LABEL]")
    parser.add_argument("--frames", type=int, default=80, help="frames of the whole loop")
    parser.add_argument("--size", type=int, default=128, help="pixels of each image")
    parser.add_argument("--fps", type=float, default=20)
    parser.add_argument("--output", type=Path, default=ROOT / "docs/images/morph.gif")
    args = parser.parse_args()
    sampler = Sampler(CheckpointLibrary(ROOT / "checkpoints"))
    panels = [make_loop(sampler, text, args.frames, args.size) for text in args.loops]
    gap = np.full((args.frames, args.size, GAP, 3), 17, np.uint8)
    columns = [column for panel in panels for column in (gap, panel)][1:]
    save_animation(args.output, np.concatenate(columns, axis=2), args.fps)
    print(f"Written: {args.output}, {args.output.stat().st_size / 1e6:.1f} MB")


def make_loop(sampler: Sampler, text: str, num_frames: int, size: int) -> np.ndarray:
    """Make the frames (T, size, size, 3) of one loop."""
    model, _, way = text.partition(":")
    seeds, _, label = way.partition("/")
    stops = sampler.make_latents(model, parse_seeds(seeds))
    if not label:
        images = sampler.sample_images(model, walk(stops, num_frames, "slerp"))
    else:
        rows = sweep_rows(sampler, model, parse_seeds(seeds)[0], label, {})
        vectors = walk(sampler.encode_labels(model, rows), num_frames, "lerp")
        images = sampler.sample_images(model, stops[:1].expand(num_frames, -1), vectors)
    frames = resize_frames(images, size, "lanczos")
    return frames.repeat(3, axis=-1) if frames.shape[-1] == 1 else frames


def walk(stops: Tensor, num_frames: int, method: str) -> Tensor:
    """Return the places (T, D) of a closed way through stops (K, D), slowed down at each."""
    place = torch.arange(num_frames, dtype=torch.float64) * len(stops) / num_frames
    leg, part = place.floor(), place.frac()
    moving = ((part - LINGER / 2) / (1 - LINGER)).clamp(0, 1)
    eased = moving * moving * (3 - 2 * moving)
    return follow_path(torch.cat([stops, stops[:1]]), leg + eased, len(stops), method)


if __name__ == "__main__":
    main()
