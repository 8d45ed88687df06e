"""What changes where each process holds a part of the weights (FSDP, DeepSpeed's ZeRO-3)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from accelerate.state import AcceleratorState

from accelerate import Accelerator
from noisygrpo.errors import require


def weights_sharded(state: AcceleratorState) -> bool:
    """Tell whether a process holds a part of the weights, so that all run forwards together."""
    deepspeed = getattr(state, "deepspeed_plugin", None)
    whole = deepspeed is None or deepspeed.zero_stage != 3
    return getattr(state, "fsdp_plugin", None) is not None or not whole


def keep_output_dtype(state: AcceleratorState) -> None:
    """Let a model sharded by FSDP2 return what it computed, in its own type.

    Under ``mixed_precision: bf16`` Accelerate has every output cast to bfloat16, the log-probs too,
    which TRL computes in float32: at -5 they would be multiples of 1/32, too coarse for a KL
    divergence or a ratio of policies. Parameters and computation keep the types that they have.
    """
    plugin = getattr(state, "fsdp_plugin", None)
    if plugin is None:
        return
    policy = plugin.mixed_precision_policy
    if plugin.fsdp_version == 2 and policy is not None:
        plugin.mixed_precision_policy = replace(policy, output_dtype=None)


@contextmanager
def whole_weights(state: AcceleratorState) -> Iterator[None]:
    """Let FSDP write a model whole, whatever it writes checkpoints in.

    With ``fsdp_state_dict_type: SHARDED_STATE_DICT`` Transformers would write no model at all.
    """
    plugin = getattr(state, "fsdp_plugin", None)
    kind = None if plugin is None else plugin.state_dict_type
    if kind is None or "FULL" in str(kind):
        yield
        return
    _set_kind(plugin, "FULL_STATE_DICT")
    try:
        yield
    finally:
        _set_kind(plugin, kind)


def _set_kind(plugin: Any, kind: Any) -> None:
    plugin.state_dict_config = plugin.optim_state_dict_config = None  # they go with the kind
    plugin.set_state_dict_type(kind)


def require_all_processes(accelerator: Accelerator) -> None:
    """Refuse to be one of several processes that do not know of each other.

    Without a GPU, Transformers starts no process group unless ``use_cpu`` is said: every process
    would then be a run of its own, all writing into one folder.

    Raises:
        UserError: the launcher started more processes than work together.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    require(
        started == accelerator.num_processes,
        f"the launcher started {started} processes, of which {accelerator.num_processes} work "
        "together; without a GPU say so: --training.use_cpu true",
    )


def most_anywhere(accelerator: Accelerator, count: int) -> int:
    """Return the largest count of all processes where weights are sharded, else this one.

    There all must run as many forwards as the one that needs most.
    """
    if not weights_sharded(accelerator.state):
        return count
    return int(accelerator.gather(torch.tensor([count], device=accelerator.device)).max())
