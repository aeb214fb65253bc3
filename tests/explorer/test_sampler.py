"""One seed, one image: bytes that nothing beside the seed and the model changes."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.library import CheckpointLibrary
from explorer.priority import NICENESS
from explorer.sampler import Sampler
from tests.explorer.conftest import SaveModel
from training.checkpoint import load_generator
from training.errors import CheckpointError, ConfigError
from training.latents import sample_latents

SEEDS = [11, 3, 500, 0, 77, 42, 3, 9, 8, 123456789, 2**32 - 1]


@pytest.mark.parametrize("name", ["conv", "linear", "grey"])
def test_an_image_depends_on_its_seed_alone(sampler: Sampler, name: str) -> None:
    together = sampler.sample_seeds(name, SEEDS)
    one_by_one = np.concatenate([sampler.sample_seeds(name, [seed]) for seed in SEEDS])
    backwards = sampler.sample_seeds(name, SEEDS[::-1])[::-1]
    thrice = sampler.sample_seeds(name, SEEDS * 3)[len(SEEDS) : 2 * len(SEEDS)]
    assert np.array_equal(together, one_by_one)
    assert np.array_equal(together, backwards)
    assert np.array_equal(together, thrice)
    assert not np.array_equal(together[0], together[1])
    assert np.array_equal(together[1], together[6])  # both are seed 3


@pytest.mark.parametrize("name", ["conv", "linear", "grey"])
def test_pixels_are_the_generators_rounded(sampler: Sampler, folder: Path, name: str) -> None:
    generator, header = load_generator(folder / f"{name}.safetensors")
    with torch.inference_mode():
        floats = generator.double()(sample_latents(SEEDS, header.model.z_dim).double()).numpy()
    expected = np.rint((floats + 1) * 127.5).transpose(0, 2, 3, 1)
    images = sampler.sample_seeds(name, SEEDS)
    assert images.dtype == np.uint8
    assert images.std() > 20  # not a constant picture, of which all of this would be true
    assert np.array_equal(images, expected)


def test_chunks_make_up_the_whole(sampler: Sampler) -> None:
    latents = sampler.make_latents("conv", SEEDS)
    chunks = list(sampler.iter_images("conv", latents))
    assert len(chunks) > 1
    assert np.array_equal(np.concatenate(chunks), sampler.sample_images("conv", latents))


def test_a_closed_iterator_leaves_the_sampler_usable(sampler: Sampler) -> None:
    latents = sampler.make_latents("conv", range(200))
    chunks = sampler.iter_images("conv", latents)
    first = next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert list(chunks) == []
    again = sampler.sample_images("conv", latents[: len(first)])
    assert np.array_equal(again, first)


def test_no_seeds_make_no_images(sampler: Sampler) -> None:
    assert sampler.sample_seeds("grey", []).shape == (0, 32, 32, 1)


def test_truncation_zero_is_one_image_for_all(sampler: Sampler) -> None:
    images = sampler.sample_seeds("conv", [1, 2], truncation=0)
    assert np.array_equal(images[0], images[1])
    middle = sampler.sample_images("conv", torch.zeros(1, 8))
    assert np.array_equal(images[0], middle[0])


def test_wrong_latents_and_labels_are_refused(sampler: Sampler) -> None:
    with pytest.raises(ConfigError, match=r"\(N, 8\), found \(2, 5\)"):
        sampler.iter_images("conv", torch.zeros(2, 5))
    with pytest.raises(ConfigError, match="without labels"):
        sampler.sample_seeds("conv", [1], labels=torch.zeros(1, 1))
    with pytest.raises(CheckpointError, match=r"no model 'nobody'.*conv, grey, linear"):
        sampler.sample_seeds("nobody", [1])


def test_the_generator_used_longest_ago_is_forgotten(library: CheckpointLibrary) -> None:
    sampler = Sampler(library, max_loaded=2)
    for name in ("conv", "linear", "conv", "grey"):
        sampler.sample_seeds(name, [0])
    assert sampler.loaded_names == ["conv", "grey"]


def test_a_generator_stays_loaded(sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler.sample_seeds("conv", [0])
    monkeypatch.setattr(sampler.library, "load", lambda name: pytest.fail("loaded again"))
    sampler.sample_seeds("conv", [1])
    assert sampler.loaded_names == ["conv"]


def test_names_that_no_model_has_leave_nothing_behind(sampler: Sampler) -> None:
    sampler.sample_seeds("conv", [0])
    for number in range(100):
        with pytest.raises(CheckpointError, match="no model"):
            sampler.get_header(f"made up {number}")
    assert list(sampler._load_locks) == ["conv"]


def test_at_least_one_generator_is_kept(library: CheckpointLibrary) -> None:
    with pytest.raises(ConfigError, match="max_loaded is 0"):
        Sampler(library, max_loaded=0)


def test_a_changed_file_is_loaded_again(sampler: Sampler, save_model: SaveModel) -> None:
    before = sampler.sample_seeds("conv", [1])
    path = save_model(sampler.library.folder, "conv", seed=1)
    os.utime(path, ns=(1, 1))  # however coarse the file system's clock is
    after = sampler.sample_seeds("conv", [1])
    assert not np.array_equal(before, after)
    fresh = Sampler(CheckpointLibrary(sampler.library.folder))
    assert np.array_equal(after, fresh.sample_seeds("conv", [1]))


def test_a_removed_file_is_reported(sampler: Sampler) -> None:
    sampler.sample_seeds("conv", [1])
    (sampler.library.folder / "conv.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"conv\.safetensors has gone"):
        sampler.sample_seeds("conv", [1])


def test_many_threads_get_the_right_images(library: CheckpointLibrary) -> None:
    names = ["conv", "linear", "grey"]
    expected = {name: Sampler(library).sample_seeds(name, SEEDS) for name in names}
    sampler = Sampler(library, max_loaded=1)  # so that threads drop each other's models

    def check(turn: int) -> bool:
        name = names[turn % 3]
        return np.array_equal(sampler.sample_seeds(name, SEEDS), expected[name])

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(check, range(60)))
    assert len(sampler.loaded_names) == 1


def test_the_number_of_threads_of_others_stays(library: CheckpointLibrary) -> None:
    before, found = torch.get_num_threads(), []
    torch.set_num_threads(3)
    try:
        Sampler(library).sample_seeds("conv", [0])
        found.append(torch.get_num_threads())
        thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        thread.start()
        thread.join()
    finally:
        torch.set_num_threads(before)
    assert found == [3, 3]


def test_background_work_gives_the_same_bytes_on_threads_of_its_own(sampler: Sampler) -> None:
    expected = sampler.sample_seeds("conv", range(9))
    before = {thread.native_id for thread in threading.enumerate()}
    found = sampler.sample_seeds("conv", range(9), is_background=True)
    started = [thread for thread in threading.enumerate() if thread.native_id not in before]
    np.testing.assert_array_equal(found, expected)
    assert started
    if sys.platform == "linux":
        for thread in started:
            priority = os.getpriority(os.PRIO_PROCESS, thread.native_id or 0)
            assert priority == max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
