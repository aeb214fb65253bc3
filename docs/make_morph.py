"""Make the morph of the README: python -m docs.make_morph MODEL:SEED,SEED,... [...]."""

import argparse
from pathlib import Path

import numpy as np
import torch

from explorer.animation import resize_frames, save_gif
from explorer.latents import parse_seeds
from explorer.library import CheckpointLibrary
from explorer.paths import follow_path
from explorer.sampler import Sampler

ROOT = Path(__file__).resolve().parent.parent
GAP = 4  # pixels between the models


def main() -> None:
    """Write one GIF in which every model walks a closed loop through its seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL:SEEDS")
    parser.add_argument("--frames", type=int, default=20, help="frames from seed to seed")
    parser.add_argument("--size", type=int, default=128, help="pixels of each image")
    parser.add_argument("--fps", type=float, default=20)
    parser.add_argument("--output", type=Path, default=ROOT / "docs/images/morph.gif")
    args = parser.parse_args()
    sampler = Sampler(CheckpointLibrary(ROOT / "checkpoints"))
    loops = [make_loop(sampler, text, args.frames, args.size) for text in args.models]
    height = loops[0].shape[1]
    gap = np.full((len(loops[0]), height, GAP, 3), 17, np.uint8)
    panels = [panel for loop in loops for panel in (gap, loop)][1:]
    save_gif(args.output, np.concatenate(panels, axis=2), args.fps)
    print(f"Written: {args.output}, {args.output.stat().st_size / 1e6:.1f} MB")


def make_loop(sampler: Sampler, text: str, num_frames: int, size: int) -> np.ndarray:
    """Make the frames (T, size, size, 3) from each seed to the next and back to the first."""
    model, _, seeds = text.partition(":")
    corners = sampler.make_latents(model, parse_seeds(seeds))
    total = num_frames * len(corners)
    loop = follow_path(torch.cat([corners, corners[:1]]), torch.arange(total), total)
    return resize_frames(sampler.sample_images(model, loop), size, "lanczos")


if __name__ == "__main__":
    main()
