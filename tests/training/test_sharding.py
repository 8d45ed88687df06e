"""Sharded models keep the precision of what they return."""

from types import SimpleNamespace

import pytest
import torch
from accelerate.utils import FullyShardedDataParallelPlugin

from noisygrpo.errors import UserError
from noisygrpo.training.sharding import keep_output_dtype, require_all_processes


@pytest.mark.parametrize(("version", "kept"), [(1, False), (2, True)])
def test_fsdp2_rounds_no_output(version, kept):
    plugin = FullyShardedDataParallelPlugin(fsdp_version=version)
    plugin.set_mixed_precision("bf16")
    before = plugin.mixed_precision_policy
    keep_output_dtype(SimpleNamespace(fsdp_plugin=plugin))
    assert (plugin.mixed_precision_policy != before) == kept
    if kept:
        assert before.output_dtype is torch.bfloat16
        assert plugin.mixed_precision_policy.output_dtype is None
        assert plugin.mixed_precision_policy.param_dtype is torch.bfloat16


def test_without_precision_or_sharding_nothing_is_touched():
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2)
    keep_output_dtype(SimpleNamespace(fsdp_plugin=plugin))
    assert plugin.mixed_precision_policy is None
    keep_output_dtype(SimpleNamespace())  # no plugin is asked for


def test_processes_that_do_not_know_of_each_other_are_refused(monkeypatch):
    require_all_processes(SimpleNamespace(num_processes=1))
    monkeypatch.setenv("WORLD_SIZE", "2")
    require_all_processes(SimpleNamespace(num_processes=2))
    with pytest.raises(UserError, match=r"started 2 processes, of which 1 work together.*use_cpu"):
        require_all_processes(SimpleNamespace(num_processes=1))
