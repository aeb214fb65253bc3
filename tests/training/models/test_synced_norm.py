"""Batch norms over several processes: where they are (what they compute: test_processes.py)."""

import pytest
import torch

from training.models import ModelConfig, build_discriminator, build_generator
from training.models.synced_norm import SyncedBatchNorm, synchronize_batch_norms


@pytest.mark.parametrize("build", [build_generator, build_discriminator])
def test_a_network_stays_on_its_device(build):
    """A network is on the GPU before its norms are replaced; "meta" stands for any device."""
    network = build(ModelConfig("dcgan", 8, width=4, img_resolution=32)).to("meta")
    names = list(network.state_dict())
    synced = synchronize_batch_norms(network)
    assert sum(isinstance(module, SyncedBatchNorm) for module in synced.modules()) >= 2
    assert list(synced.state_dict()) == names
    tensors = [*synced.parameters(), *synced.buffers()]
    assert {tensor.device for tensor in tensors} == {torch.device("meta")}
