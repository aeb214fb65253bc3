"""Seeds: one seed, one latent, always the same."""

import pytest
import torch

from training.errors import ConfigError
from training.latents import MAX_SEED, sample_latents


def test_a_latent_depends_on_its_seed_alone():
    together = sample_latents([5, 7, 5, MAX_SEED], 32)
    assert together.shape == (4, 32)
    assert together.dtype == torch.float32
    assert torch.equal(together[0], together[2])
    torch.randn(3)  # the global generator does not matter
    assert torch.equal(together[1], sample_latents([7], 32)[0])
    assert not torch.equal(together[0], together[1])


def test_a_latent_is_torch_s_own_draw():
    expected = torch.randn(100, generator=torch.Generator().manual_seed(1234))
    assert torch.equal(sample_latents([1234], 100)[0], expected)


def test_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    sample_latents(range(10), 8)
    assert torch.equal(torch.rand(1), expected)


def test_latents_are_standard_normal():
    latents = sample_latents(range(2000), 50)  # 100,000 numbers: standard error 0.0032
    assert latents.mean().item() == pytest.approx(0.0, abs=0.013)
    assert latents.std().item() == pytest.approx(1.0, abs=0.01)


def test_no_seeds_make_no_latents():
    assert sample_latents([], 4).shape == (0, 4)


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(ConfigError, match=f"Seed {seed} is out of range"):
        sample_latents([seed], 4)
