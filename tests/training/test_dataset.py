"""Rows with and without images: found without decoding, and refused where processes would hang."""

from types import SimpleNamespace

import pytest
from datasets import Dataset

from noisygrpo.errors import UserError
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.dataset import check, is_mixed, refuse_sharded
from tiny import tiny_image, tiny_rows, tiny_settings
from tiny_trainer import make


def test_mixed_data_is_found():
    assert is_mixed(tiny_rows(3, images=(1, 0)))
    assert not is_mixed(tiny_rows(3, images=(1, 2)))
    assert not is_mixed(tiny_rows(3, images=(0,)))
    assert not is_mixed(Dataset.from_list([{"prompt": "a"}]))
    single = Dataset.from_list([{"image": tiny_image(0)}, {"image": None}])
    assert is_mixed(single) and not is_mixed(single.select([0]).flatten_indices())


def test_ddp_looks_for_unused_parameters_only_where_it_must(tmp_path, monkeypatch):
    config = NoisyGRPOConfig(**tiny_settings(tmp_path))
    check(tiny_rows(2, images=(1, 0)), config)
    assert config.ddp_find_unused_parameters is None  # one process
    monkeypatch.setattr(NoisyGRPOConfig, "world_size", 2)
    check(tiny_rows(2), config)
    assert config.ddp_find_unused_parameters is None
    check(tiny_rows(2, images=(1, 0)), config)
    assert config.ddp_find_unused_parameters is True


@pytest.mark.parametrize("stage", [None, 2, 3], ids=["fsdp", "zero2", "zero3"])
def test_sharded_weights_and_mixed_rows_are_refused(tmp_path, stage):
    state = make(tmp_path).accelerator.state
    plugin = None if stage is None else SimpleNamespace(zero_stage=stage)
    fsdp = SimpleNamespace() if stage is None else None
    fake = SimpleNamespace(deepspeed_plugin=plugin, fsdp_plugin=fsdp)
    mixed = tiny_rows(4, images=(1, 0))
    refuse_sharded(state, mixed)
    refuse_sharded(fake, tiny_rows(4))
    if stage == 2:
        refuse_sharded(fake, mixed)
        return
    with pytest.raises(UserError, match="some rows have images and some have none"):
        refuse_sharded(fake, mixed)
