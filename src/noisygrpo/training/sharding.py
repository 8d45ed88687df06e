"""What changes where each process holds a part of the weights (FSDP, DeepSpeed's ZeRO-3)."""

from dataclasses import replace

import torch
from accelerate.state import AcceleratorState

from accelerate import Accelerator


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


def most_anywhere(accelerator: Accelerator, count: int) -> int:
    """Return the largest count of all processes where weights are sharded, else this one.

    There all must run as many forwards as the one that needs most.
    """
    if not weights_sharded(accelerator.state):
        return count
    return int(accelerator.gather(torch.tensor([count], device=accelerator.device)).max())
